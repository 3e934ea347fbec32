"""The command line of `python -m clients.webcam`."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from clients.webcam.detection import DETECTORS
from pipeline.errors import UserError

_EPILOG = """\
In the window: h help, p pause, s snapshot, r record, m mirror, n next source, q quit.

Nothing leaves this machine but the cropped faces that go to the --server you name, and nothing is
stored unless --record, --jsonl or --chart, or the keys s and r, ask for it.
"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; `--help` describes each."""

    sources: tuple[str, ...] = ("0",)
    server: str = ""
    tflite: Path | None = None
    workspace: Path = Path("workspace")
    model: str = "expression"
    version: int | None = None
    label: str | None = None
    timeout: float = 5.0
    give_up: float = 30.0
    detector: str = "blazeface"
    detector_model: Path | None = None
    margin: float = 1.0
    smoothing: float = 0.4
    max_faces: int = 32
    headless: bool = False
    mirror: bool = False
    record: Path | None = None
    jsonl: Path | None = None
    chart: Path | None = None
    output: Path = Path()
    names: Path | None = None
    font: Path | None = None
    seconds: float | None = None


class _Parser(argparse.ArgumentParser):
    """Answers a wrong option as any other mistake."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[0].upper()}{message[1:]}; --help lists the options.")


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line.

    Raises:
      UserError: an option is wrong.
    """
    given = vars(_parser().parse_args(arguments))
    given["sources"] = tuple(given.pop("source") or Options.sources)
    options = Options(**given)
    if options.server and options.tflite:
        raise UserError("--server and --tflite are two models; give one of them.")
    if (options.version is not None or options.label) and not options.server:
        raise UserError(
            "--version and --label choose among a server's versions; give --server too."
        )
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m clients.webcam",
        description="Shows the expressions of faces in front of a camera.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Options()
    add = parser.add_argument_group("pictures").add_argument
    add(
        "--source",
        action="append",
        help="camera number, video file, rtsp or http address, image, or folder of images; "
        "may be repeated, key n goes to the next (default: 0)",
    )
    add("--detector", choices=DETECTORS, default=default.detector, help="(default: %(default)s)")
    add("--detector-model", type=Path, metavar="FILE", help="YuNet's .onnx file")
    add(
        "--margin",
        type=_between(0.5, 3.0),
        default=default.margin,
        help="side of a crop over that of the training images' framing (default: %(default)s)",
    )
    add(
        "--max-faces",
        type=_whole(1, 256),
        metavar="N",
        default=default.max_faces,
        help="largest faces of a frame that are looked at (default: %(default)s)",
    )

    add = parser.add_argument_group("model").add_argument
    add("--server", default="", metavar="URL", help="grpc://host:8500 or rest+http://host:8501")
    add("--tflite", type=Path, metavar="FILE", help="a model with labels.txt beside it")
    add(
        "--workspace",
        type=Path,
        default=default.workspace,
        metavar="DIR",
        help="otherwise its newest edge model, or the shipped one (default: %(default)s)",
    )
    add("--model", default=default.model, metavar="NAME", help="(default: %(default)s)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=_whole(1, 2**62), metavar="N", help="a server's version N")
    which.add_argument("--label", metavar="NAME", help="the version a server's label points at")
    add(
        "--timeout",
        type=_between(0.1, 600),
        default=default.timeout,
        metavar="S",
        help="seconds an answer may take (default: %(default)s)",
    )
    add(
        "--give-up",
        type=_between(0, 86400),
        default=default.give_up,
        metavar="S",
        help="seconds until a headless video ends without a server (default: %(default)s)",
    )
    add(
        "--smoothing",
        type=_between(0, 60),
        default=default.smoothing,
        metavar="S",
        help="time constant of probabilities in seconds; 0 for none (default: %(default)s)",
    )

    add = parser.add_argument_group("results").add_argument
    add(
        "--headless", action="store_true", help="no window; each frame of images or a video is kept"
    )
    add("--mirror", action="store_true", help="show the picture as a mirror does")
    add("--record", type=Path, metavar="FILE.mp4", help="a video of what is shown")
    add(
        "--jsonl",
        type=Path,
        metavar="FILE",
        help="a line for each face and frame; - is standard output",
    )
    add("--chart", type=Path, metavar="FILE.png", help="time per expression, drawn at the end")
    add(
        "--output",
        type=Path,
        default=default.output,
        metavar="DIR",
        help="where the keys s and r write (default: here)",
    )
    add(
        "--names",
        type=Path,
        metavar="FILE.json",
        help="names to show for classes, any script; clients/webcam/names/zh.json is Chinese",
    )
    add("--font", type=Path, metavar="FILE", help="font for names")
    add("--seconds", type=_between(0, 1e9), metavar="S", help="stop after so long")
    return parser


def _between(low: float, high: float) -> Callable[[str], float]:
    """Returns a reader of numbers within bounds."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {low:g} to {high:g}")
        return number

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    """Returns a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low} to {high}")
        return int(text)

    return read
