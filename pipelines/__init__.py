"""Example pipelines: the documents here, their plain functions in `steps/`, their input in `data/`."""
