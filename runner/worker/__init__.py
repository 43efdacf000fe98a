"""Runs one step in a process of its own; started by a command line, needs the standard library only."""
