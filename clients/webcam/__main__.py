"""Entry point of `python -m clients.webcam`."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TextIO

from clients.webcam.options import parse
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program.

    Returns:
      0 at the end, 1 after a mistake told in one sentence, 130 when it was interrupted.
    """
    try:
        options = parse(arguments)
        from clients.webcam.backends.choice import make_backend  # noqa: PLC0415
        from clients.webcam.loop import Program  # noqa: PLC0415

        program = Program(options, make_backend(options))
        signal.signal(signal.SIGTERM, _interrupt)
        interrupted = False
        try:
            program.run()
        except KeyboardInterrupt:
            interrupted = True
        lines = program.summary.lines(program.names)
        _tell("\n".join(lines), sys.stderr if str(options.jsonl) == "-" else sys.stdout)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 130 if interrupted else 0


def _tell(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Nobody reads. Python would flush once more when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
