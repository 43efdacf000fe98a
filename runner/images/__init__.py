"""Images of steps, and the registries that they are pushed to."""
