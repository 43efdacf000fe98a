"""From text to a tree that knows the position of every key and value."""
