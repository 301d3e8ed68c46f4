"""Every file format, opened into the one frozen graph."""
