"""Intended: what would run, computed from specs alone."""
