"""The kubeflow flavor: one compiled document, walked by Kubeflow Pipelines."""
