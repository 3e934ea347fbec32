"""Kubeflow Pipelines: the compiled job, and what its containers run."""
