"""Declared: what a user writes, as frozen values."""
