"""The functions that the example pipelines' steps call: one module a pipeline."""
