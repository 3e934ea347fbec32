"""Entry point of `python -m clients.webcam`."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
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
        _on_signals(lambda *_: program.interrupt())
        try:
            program.run()
        finally:
            # Python itself takes a moment to end, and would tell a trace of being interrupted.
            _on_signals(signal.SIG_IGN)
        lines = program.summary.lines(program.names)
        _tell("\n".join(lines), sys.stderr if str(options.jsonl) == "-" else sys.stdout)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        # While the source was opened or the model loaded: there is nothing to sum up.
        return 130
    return 130 if program.interrupted else 0


def _tell(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Nobody reads. Python would flush once more when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell lets what it starts in the background ignore the keyboard.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
