"""The contract of a flavor, and what several flavors share."""
