"""Compiles the pipeline for Kubeflow Pipelines and submits it: `kubeflow_runner.py --help`."""

import sys

from orchestration.kubeflow.command_line import main

if __name__ == "__main__":
    sys.exit(main())
