"""The vertex flavor: the document that Kubeflow walks, walked by Vertex AI Pipelines."""
