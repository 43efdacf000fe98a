"""One engine each; no flavor knows another."""
