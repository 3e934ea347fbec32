"""The whole pipeline beside a plain Keras script, on parts of an archive of growing size."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.measure import Measured, machine, run_program
from benchmarks.subset import write_subset
from pipeline import config
from pipeline.config import REPOSITORY
from pipeline.drawn_sample import draw_archive
from pipeline.errors import PipelineError, UserError

_FOLDER = Path(__file__).parent
_FER2013 = REPOSITORY.parent / "shared" / "data" / "fer2013" / "archive.zip"
# Everything runs whatever one epoch on few images reaches; no component's work depends on these.
_OPEN_GATES = (
    "validate.min_examples_per_class=1",
    "evaluate.accuracy=0",
    "evaluate.class_recall=0",
    "edge.max_accuracy_drop=1",
)
_MODES = ("graph", "materialized")
AS_PLAIN = (
    "train.members=1",
    "train.small_first=0",
    "train.own_teacher.epochs=0",
    "train.augment.mixup=0",
    "train.early_stopping_patience=0",
    "train.calibrate=false",
    "train.flip_average=false",
    "train.zoom_average=0",
)
"""What a profile may ask for and the plain script does not do: both are to train alike."""


class Bench:
    """One call: its archive, settings and temporary folder."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self._folder = folder
        self._assignments = [f"train.epochs={options.epochs}", *AS_PLAIN, *_OPEN_GATES]
        self.archive, self.told, self._profile = _data(options.data, folder)
        self._settings = config.load(self._profile, None, self._assignments)
        self._settings_file = folder / "settings.json"
        self._settings_file.write_text(json.dumps(config.as_dict(self._settings)), encoding="utf-8")

    def warm_up(self) -> None:
        """Reads all modules once, so that the first measured process finds them in memory too."""
        part, _ = self._part(Fraction(1, 64))
        self._plain(part, self._folder / "warm-up-plain")
        self._pipeline(part, self._folder / "warm-up-pipeline")

    def pair(self, fraction: Fraction) -> tables.Pair:
        """Measures both on a part of the archive."""
        part, images = self._part(fraction)
        runs = self._folder / f"runs-{_stem(fraction)}"
        return tables.Pair(
            fraction,
            images,
            pipeline=self._pipeline(part, runs / "pipeline"),
            plain=self._plain(part, runs / "plain"),
        )

    def transform_modes(self, fraction: Fraction) -> dict[str, Measured]:
        """Measures both ways from Transform to the Trainer on a part of the archive."""
        part, _ = self._part(fraction)
        return {
            mode: run_program(
                "benchmarks.transform_modes",
                [f"--mode={mode}", f"--data={part}", f"--settings={self._settings_file}"],
                self._folder / f"runs-{mode}",
            )
            for mode in _MODES
        }

    def _pipeline(self, part: Path, folder: Path) -> Measured:
        arguments = [f"--data={part}", f"--workspace={folder / 'workspace'}"]
        if self._profile is not None:
            arguments.append(f"--profile={self._profile}")
        arguments += [f"--set={assignment}" for assignment in self._assignments]
        return run_program("benchmarks.whole_pipeline", arguments, folder)

    def _plain(self, part: Path, folder: Path) -> Measured:
        arguments = [f"--data={part}", f"--settings={self._settings_file}"]
        return run_program("benchmarks.plain_keras", arguments, folder)

    def _part(self, fraction: Fraction) -> tuple[Path, int]:
        path = self._folder / f"part-{_stem(fraction)}.zip"
        return path, write_subset(self.archive, fraction, path)


def main() -> int:
    """Measures, prints, writes the JSON and README.md's section; returns the exit code."""
    options = _parser().parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            bench = Bench(options, Path(folder))
            print(f"Data: {bench.told}.", flush=True)
            bench.warm_up()
            if options.compare_transform:
                _compare_transform(bench, options)
            else:
                _compare_plain(bench, options)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _compare_plain(bench: Bench, options: argparse.Namespace) -> None:
    pairs = []
    for fraction in sorted(options.fractions):
        pair = bench.pair(fraction)
        print(
            f"{fraction} ({pair.images:,} images): pipeline {pair.pipeline.seconds:.1f} s, "
            f"plain {pair.plain.seconds:.1f} s",
            flush=True,
        )
        pairs.append(pair)
    _report(
        options,
        bench,
        "pipeline-vs-plain",
        tables.pipeline_vs_plain(pairs),
        {"runs": [pair.as_dict() for pair in pairs]},
    )


def _compare_transform(bench: Bench, options: argparse.Namespace) -> None:
    measured = bench.transform_modes(max(options.fractions))
    _report(
        options,
        bench,
        "compare-transform",
        tables.transform_modes(measured),
        {"modes": {mode: asdict(run) for mode, run in measured.items()}},
    )


def _report(
    options: argparse.Namespace, bench: Bench, name: str, table: str, results: dict[str, Any]
) -> None:
    facts = machine()
    # The data's folder is the machine's business.
    command = [f"make bench DATA={bench.archive.name}" if options.data else "make bench"]
    arguments = [f"--fractions {','.join(str(part) for part in options.fractions)}"]
    arguments += [f"--epochs {options.epochs}"]
    arguments += ["--compare-transform"] * options.compare_transform
    command.append(f"ARGS='{' '.join(arguments)}'")
    told = (
        f"`{' '.join(command)}` on {bench.told}; {facts['cores']} cores, "
        f"{facts['memory_gib']} GiB, {facts['system']}, Python {facts['python']}, "
        f"TensorFlow {facts['tensorflow']}, TFX {facts['tfx']}."
    )
    print(f"\n{told}\n\n{table}")
    recorded = _read_json(options.output)
    recorded[name] = {"command": " ".join(command), "data": bench.told, "machine": facts, **results}
    options.output.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    tables.replace_section(options.markdown, name, f"{told}\n\n{table}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"The results file {path} can't be read: {error}; remove it.") from None


def _data(path: Path | None, folder: Path) -> tuple[Path, str, str | None]:
    """The archive, what to call it, and the settings profile for it."""
    if path is None and _FER2013.exists():
        return _FER2013, "the FER2013 archive", "fer2013"
    if path is not None:
        return path.absolute(), path.name, None
    sample = config.load("sample").sample
    drawn = draw_archive(
        folder / "sample.zip",
        train_per_class=sample.train_per_class,
        eval_per_class=sample.eval_per_class,
        seed=sample.seed,
    )
    return drawn, "the drawn sample", "sample"


def _fractions(text: str) -> list[Fraction]:
    try:
        fractions = [Fraction(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError):
        fractions = []
    if not fractions or not all(0 < fraction <= 1 for fraction in fractions):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of fractions such as 1/8,1/4,1/1")
    return fractions


def _stem(fraction: Fraction) -> str:
    return f"{fraction.numerator}-{fraction.denominator}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.pipeline_vs_plain", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="ARCHIVE.zip",
        help="train/<class>/<file> and test/<class>/<file>, images of the size of the model's "
        "(default: FER2013 if it is beside the project, else the drawn sample)",
    )
    parser.add_argument(
        "--fractions",
        type=_fractions,
        default="1/8,1/4,1/2,1/1",
        help="shares of the archive (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--compare-transform",
        action="store_true",
        help="measure instead, on the largest share, what materialized examples would cost",
    )
    parser.add_argument("--output", type=Path, default=_FOLDER / "results.json")
    parser.add_argument("--markdown", type=Path, default=_FOLDER / "README.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
