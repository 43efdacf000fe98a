"""Declared: what a user writes, as frozen values."""

OUTPUT = "output"
"""The name of a step's one output when it declares none. Here, since workers need it and load no models."""
