"""The verbs of the domain, without any face."""
