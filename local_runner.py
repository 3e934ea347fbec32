"""Runs the pipeline on this machine: `python local_runner.py --help`."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
