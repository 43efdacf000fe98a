"""Kubeflow's pipeline document, which Kubeflow Pipelines and Vertex AI walk: plain data, without an SDK."""
