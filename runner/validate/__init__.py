"""From a tree to specs, or to every problem at its position."""
