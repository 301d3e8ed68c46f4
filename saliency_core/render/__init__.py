"""From raw arrays to colours: what a map looks like, never what it is."""
