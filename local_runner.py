"""Runs the pipeline on this machine: `python local_runner.py --help`."""

import gc
import sys

from pipeline.cli import main

if __name__ == "__main__":
    code = main()
    # The interpreter's last collections would walk all of TensorFlow and Beam for three seconds.
    gc.freeze()
    sys.exit(code)
