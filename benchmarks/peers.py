"""Measures this project's models beside PyPI packages that carry their weights in the wheel.

    python -m benchmarks.peers --data ARCHIVE.zip [--workspace DIR] [--peers-python PYTHON]
        [--write]

All see the same images, those of the archive's test split, as encoded bytes, each in a process of
its own on one core and with its package's own preprocessing. Times are taken in rounds, every
peer in every round, so that what else the machine does falls on all alike. `Network` is the TFLite
file alone, all files in turns in one LiteRT interpreter process with one thread; `call` is
everything from the encoded image to the probabilities, in the package's own code. Memory is the
largest resident set of the process, interpreter and imports included; size is what the model
needs on disk, without code. The accuracy on images of the train split says what a model has seen:
one that does as well on the test split was trained on that too.

The packages need an environment beside: see benchmarks/README.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
from sklearn import metrics

from benchmarks import peer as peer_module
from benchmarks.measure import machine
from benchmarks.peer import PACKAGES, write_images
from benchmarks.tables import markdown_table, replace_section
from clients.webcam import interpreter
from components.edge_model import FLOAT_FILE, INT8_FILE
from pipeline.calibration_bins import bin_sums, expected_calibration_error
from pipeline.config import REPOSITORY, DataSettings
from pipeline.errors import PipelineError, UserError
from pipeline.features import EVAL_SPLIT, TRAIN_SPLIT
from pipeline.version_folder import VersionFolder
from pipeline.workspace import Workspace

_FOLDER = Path(__file__).parent
_ROUNDS = 10
_IMAGES_A_ROUND = 20
_TRAIN_IMAGES = 700
_SECTION = "peers"


@dataclass(frozen=True)
class Candidate:
    """A row of the table: what to start, and with which Python."""

    name: str
    kind: str
    path: str = ""
    python: str = sys.executable


@dataclass(frozen=True)
class Split:
    """Encoded images by name, the index of each one's class, int[n], and the classes, sorted."""

    images: list[bytes]
    truth: np.ndarray
    labels: list[str]

    def sample(self, count: int) -> "Split":
        """So many images, evenly spread over the classes as they are; all, if there are fewer."""
        chosen = np.linspace(0, len(self.images), min(count, len(self.images)), endpoint=False)
        spread = chosen.astype(int)
        return Split([self.images[index] for index in spread], self.truth[spread], self.labels)


@dataclass
class Row:
    """What was measured of a candidate; times in seconds."""

    name: str
    version: str
    bytes: int
    tflite: str
    accuracy: float = 0.0
    train_accuracy: float = 0.0
    macro_f1: float = 0.0
    calibration_error: float = 0.0
    call: list[float] = field(default_factory=list)
    network: list[float] = field(default_factory=list)
    peak_bytes: int = 0


class Process:
    """`benchmarks.peer` in a process that is held to one core."""

    def __init__(self, candidate: Candidate, images: Path):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [candidate.python, "-m", peer_module.__name__, candidate.kind, candidate.path],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._name = candidate.name
        self.told = self._read()
        if "missing" not in self.told:
            self.ask(images=str(images))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, **request: Any) -> Any:
        """Sends a request of `benchmarks.peer` and waits for its answer."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise PipelineError(f"The process of {self._name} ended; run `{peer_module.__name__}`.")
        return json.loads(line)


def main() -> int:
    """Prints a Markdown table; with `--write`, also into results.json and README.md."""
    options = _parser().parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            test = read_split(options.data, EVAL_SPLIT)
            train = read_split(options.data, TRAIN_SPLIT).sample(_TRAIN_IMAGES)
            if options.limit:
                test = test.sample(options.limit)
            print(f"{len(test.images):,} test images of {len(test.labels)} classes.", flush=True)
            rows = _measure(_candidates(options), test, train, Path(folder))
        _report(options, rows, len(test.images))
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def read_split(archive: Path, split: str) -> Split:
    """Reads the images of a split, as they are encoded.

    Args:
      archive: A zip of `<split>/<class>/<file>`; names as the pipeline's own settings read them.
      split: `train` or `eval`.

    Raises:
      UserError: It is no zip, or has no such split.
    """
    data = DataSettings()
    found: list[tuple[str, bytes]] = []
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(opened.namelist()):
                parts = PurePosixPath(name).parts
                if len(parts) < 3 or name.endswith("/"):
                    continue
                folder, label = parts[-3].casefold(), parts[-2].casefold()
                if data.split_aliases.get(folder) == split:
                    found.append((data.class_aliases.get(label, label), opened.read(name)))
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"The archive {archive} can't be read: {error}; give a zip.") from None
    if not found:
        raise UserError(
            f"The archive {archive} has no {split} split; give a zip of train/<class>/<file> and "
            "test/<class>/<file>."
        )
    labels = sorted({label for label, _ in found})
    truth = np.array([labels.index(label) for label, _ in found])
    return Split([image for _, image in found], truth, labels)


def in_order(
    probabilities: np.ndarray, classes: Sequence[str], labels: Sequence[str], name: str
) -> np.ndarray:
    """Puts the columns of float[n, c] into the order of the archive's labels.

    Raises:
      UserError: The peer knows other classes than the archive has.
    """
    if sorted(classes) != sorted(labels):
        raise UserError(
            f"{name} knows the classes {', '.join(sorted(classes))}, the archive has "
            f"{', '.join(sorted(labels))}; give an archive of the same classes."
        )
    return probabilities[:, [list(classes).index(label) for label in labels]]


def _candidates(options: argparse.Namespace) -> list[Candidate]:
    found = []
    places = Workspace(options.workspace.absolute())
    for told, model in (("", options.model), ("edge profile, ", options.edge_model)):
        serving = VersionFolder(places.serving(model))
        edge = VersionFolder(places.edge(model))
        if serving.newest():
            path = str(serving.path(serving.newest()))
            found.append(Candidate(f"{told}SavedModel", "saved_model", path))
        for file, what in ((FLOAT_FILE, "float32 TFLite"), (INT8_FILE, "int8 TFLite")):
            if edge.newest():
                path = str(edge.path(edge.newest()) / file)
                found.append(Candidate(f"{told}{what}", "tflite", path))
    if not found:
        raise UserError(
            f"The workspace {options.workspace} has no pushed model {options.model}; run the "
            "pipeline first, or name another one with --workspace."
        )
    if options.peers_python is not None:
        python = str(options.peers_python.absolute())
        found += [Candidate(f"`{package}`", package, python=python) for package in PACKAGES]
    return found


def _measure(candidates: Sequence[Candidate], test: Split, train: Split, folder: Path) -> list[Row]:
    stored, seen = folder / "test.npz", folder / "train.npz"
    write_images(stored, test.images)
    write_images(seen, train.images)
    rows: list[tuple[Candidate, Row]] = []
    for candidate in candidates:
        with Process(candidate, stored) as process:
            if "missing" in process.told:
                print(f"{candidate.name} is not in the peers' environment; its row is left out.")
                continue
            probabilities = _ask(process, candidate, folder, test.labels)
            peak_bytes = process.ask()
            process.ask(images=str(seen))
            on_train = _ask(process, candidate, folder, train.labels).argmax(axis=1)
            predicted = probabilities.argmax(axis=1)
            files = process.told["files"]
            row = Row(
                name=candidate.name,
                version=process.told["version"],
                bytes=process.told["bytes"],
                tflite=files[0] if files[0].endswith(".tflite") else "",
                accuracy=float((predicted == test.truth).mean()),
                train_accuracy=float((on_train == train.truth).mean()),
                macro_f1=float(metrics.f1_score(test.truth, predicted, average="macro")),
                calibration_error=expected_calibration_error(bin_sums(test.truth, probabilities)),
                peak_bytes=peak_bytes,
            )
            rows.append((candidate, row))
            print(f"{row.name}: accuracy {row.accuracy:.4f}", flush=True)
    _time_calls(rows, stored)
    _time_networks([row for _, row in rows])
    return [row for _, row in rows]


def _ask(process: Process, candidate: Candidate, folder: Path, labels: Sequence[str]) -> np.ndarray:
    """Probabilities of the images that the process has, float[n, c], in the labels' order."""
    file = folder / "probabilities.npy"
    process.ask(predict=str(file))
    found = np.load(file, allow_pickle=False)
    return in_order(found, process.told["classes"], labels, candidate.name)


def _time_calls(rows: Sequence[tuple[Candidate, Row]], images: Path) -> None:
    processes = [(Process(candidate, images), row) for candidate, row in rows]
    try:
        for process, _ in processes:
            process.ask(first=0, count=_IMAGES_A_ROUND)  # Warms up.
        for number in range(_ROUNDS):
            first = number * _IMAGES_A_ROUND
            for process, row in processes:
                row.call += process.ask(first=first, count=_IMAGES_A_ROUND)
    finally:
        for process, _ in processes:
            process.__exit__()


def _time_networks(rows: Sequence[Row]) -> None:
    """Times the TFLite files on noise, which takes them as long as faces."""
    loaded = [(interpreter.load(Path(row.tflite)), row) for row in rows if row.tflite]
    generator = np.random.default_rng(0)
    for number in range(_ROUNDS + 1):
        for model, row in loaded:
            [details] = model.get_input_details()
            values = generator.uniform(0, 255, details["shape"]).astype(details["dtype"])
            for _ in range(_IMAGES_A_ROUND):
                start = time.perf_counter()
                model.set_tensor(details["index"], values)
                model.invoke()
                if number:  # The first round warms up.
                    row.network.append(time.perf_counter() - start)


def table(rows: Sequence[Row]) -> str:
    """A row of Markdown for each candidate."""
    head = ["", "Accuracy", "On train", "Macro F1", "ECE"]
    head += ["Size, KB", "Network, ms", "Call, ms", "Peak, MiB"]
    return markdown_table(
        head,
        [
            [
                f"{row.name} {row.version}".strip(),
                f"{row.accuracy:.4f}",
                f"{row.train_accuracy:.4f}",
                f"{row.macro_f1:.4f}",
                f"{row.calibration_error:.4f}",
                f"{row.bytes / 1000:,.0f}",
                f"{1000 * statistics.median(row.network):.2f}" if row.network else "",
                f"{1000 * statistics.median(row.call):.2f}",
                f"{row.peak_bytes / 2**20:.0f}",
            ]
            for row in rows
        ],
    )


def _report(options: argparse.Namespace, rows: Sequence[Row], images: int) -> None:
    facts = machine()
    told = (
        f"`make bench-peers DATA={options.data.name}`, {images:,} test images; {facts['system']}, "
        f"one core of {facts['cores']}, Python {facts['python']}, TensorFlow "
        f"{facts['tensorflow']}."
    )
    text = f"{told}\n\n{table(rows)}"
    print(f"\n{text}")
    if not options.write:
        return
    output = _FOLDER / "results.json"
    recorded = json.loads(output.read_text(encoding="utf-8"))
    recorded[_SECTION] = {
        "data": options.data.name,
        "images": images,
        "machine": facts,
        "rows": [
            {
                **{key: value for key, value in vars(row).items() if key != "tflite"},
                "call": statistics.median(row.call),
                "network": statistics.median(row.network) if row.network else None,
            }
            for row in rows
        ],
    }
    output.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    replace_section(_FOLDER / "README.md", _SECTION, text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="ARCHIVE.zip")
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--model", default="expression", help="default: %(default)s")
    parser.add_argument(
        "--edge-model",
        default="expression-edge",
        help="what a run with the edge profile pushed (default: %(default)s)",
    )
    parser.add_argument("--peers-python", type=Path, help="Python of an environment with the peers")
    parser.add_argument(
        "--limit", type=int, help="so many of the images, evenly spread, to try it out"
    )
    parser.add_argument("--write", action="store_true", help="record what was measured")
    return parser


if __name__ == "__main__":
    sys.exit(main())
