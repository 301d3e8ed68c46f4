"""One file a method; importing this package loads none of them."""
