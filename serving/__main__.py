"""Entry point of `python -m serving`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from pipeline.errors import PipelineError
from serving.flags import parse_flags

_SWITCH_SECONDS = 0.0005


def main(arguments: Sequence[str]) -> int:
    """Runs the server until it is told to stop.

    Returns:
      0 after a stop that was asked for, 1 after a mistake told in one sentence.
    """
    try:
        options = parse_flags(arguments)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        logging.basicConfig(
            level=logging.INFO, format="%(levelname).1s %(asctime)s %(name)s] %(message)s"
        )
        if options.version:
            _print_version()
            return 0
        # A request holds the interpreter for a fraction of a millisecond; with Python's default of
        # 5 ms the threads that read and write the network wait for those that compute.
        sys.setswitchinterval(_SWITCH_SECONDS)
        # TensorFlow takes seconds to import; a wrong flag is told at once.
        from serving.server import Server  # noqa: PLC0415

        Server(options).run()
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _print_version() -> None:
    from importlib.metadata import version  # noqa: PLC0415

    print(f"Embedded model server for tensorflow-serving-api {version('tensorflow-serving-api')}")
    print(f"TensorFlow Library: {version('tensorflow')}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
