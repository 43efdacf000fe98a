"""Where events are appended and runs are read back."""
