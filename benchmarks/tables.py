"""Markdown of measurements, and the part of README.md that they replace."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured, seconds_per_step
from pipeline.errors import UserError

TRAINER = "Trainer"
# Below this, growth is the noise of starting things.
_LEAST_SECONDS = 0.5


@dataclass(frozen=True)
class Pair:
    """The pipeline and the plain script on the same archive of `images` files."""

    fraction: Fraction
    images: int
    pipeline: Measured
    plain: Measured

    @property
    def outside_trainer(self) -> float:
        """Seconds of the pipeline's process that are not the Trainer's, imports included."""
        return self.pipeline.seconds - self.pipeline.phases[TRAINER]

    def as_dict(self) -> dict[str, Any]:
        """What was measured, for JSON."""
        return {
            "fraction": str(self.fraction),
            "images": self.images,
            "pipeline": asdict(self.pipeline),
            "plain": asdict(self.plain),
        }


def pipeline_vs_plain(pairs: Sequence[Pair]) -> str:
    """Totals, then the seconds of each component and of each phase of the plain script."""
    head = ["", *(f"{pair.fraction} ({pair.images:,})" for pair in pairs), "growth"]
    totals = [
        _seconds("Whole pipeline, s", pairs, [pair.pipeline.seconds for pair in pairs]),
        _seconds("of it Trainer, s", pairs, [pair.pipeline.phases[TRAINER] for pair in pairs]),
        _seconds("of it all else, imports included, s", pairs, [p.outside_trainer for p in pairs]),
        _seconds("Plain script, s", pairs, [pair.plain.seconds for pair in pairs]),
        _row("Whole / plain", [_ratio(p.pipeline.seconds, p.plain.seconds) for p in pairs]),
        _row("Trainer / plain's training", [_trainer_ratio(pair) for pair in pairs]),
        _row("Training steps, pipeline", [_steps(pair.pipeline) for pair in pairs]),
        _row("Training steps, plain", [_steps(pair.plain) for pair in pairs]),
        _row("Milliseconds a step, pipeline", [_per_step(pair.pipeline) for pair in pairs]),
        _row("Milliseconds a step, plain", [_per_step(pair.plain) for pair in pairs]),
        _row("Epoch of equal steps, pipeline / plain", [_step_ratio(pair) for pair in pairs]),
        _row("Peak memory, pipeline, GiB", [_gib(pair.pipeline) for pair in pairs]),
        _row("Peak memory, plain, GiB", [_gib(pair.plain) for pair in pairs]),
    ]
    return "\n\n".join(
        [
            markdown_table(head, totals),
            markdown_table(
                ["Component, s", *head[1:]], _phases(pairs, [p.pipeline for p in pairs])
            ),
            markdown_table(
                ["Plain script, s", *head[1:]], _phases(pairs, [p.plain for p in pairs])
            ),
        ]
    )


def transform_modes(measured: dict[str, Measured]) -> str:
    """Transform plus one pass over the train split, for each mode."""
    rows = []
    for mode, run in measured.items():
        transform, reading = run.phases["Transform"], run.phases["One pass"]
        rows.append(
            [
                mode,
                f"{run.facts['images']:,}",
                f"{transform:.1f}",
                f"{reading:.1f}",
                f"{transform + reading:.1f}",
                f"{run.facts['transformed_bytes'] / 2**20:.0f}",
                _gib(run),
            ]
        )
    head = [
        "",
        "Train images",
        "Transform, s",
        "One pass, s",
        "Sum, s",
        "Written, MiB",
        "Peak, GiB",
    ]
    return markdown_table(head, rows)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def replace_section(path: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->` in a file.

    Raises:
      UserError: The file or its markers are missing.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    try:
        before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    except OSError as error:
        raise UserError(f"The file {path} can't be read: {error.strerror}.") from None
    _, found, after = rest.partition(end)
    if not found:
        raise UserError(f"The file {path} lacks the lines {begin} and {end}; add them.")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _phases(pairs: Sequence[Pair], runs: Sequence[Measured]) -> list[list[str]]:
    return [_seconds(name, pairs, [run.phases[name] for run in runs]) for name in runs[0].phases]


def _seconds(name: str, pairs: Sequence[Pair], values: Sequence[float]) -> list[str]:
    return [name, *(f"{value:.1f}" for value in values), _growth(pairs, values)]


def _growth(pairs: Sequence[Pair], values: Sequence[float]) -> str:
    """Slope of log(seconds) over log(images) from the first pair to the last."""
    if len(pairs) < 2 or values[-1] < _LEAST_SECONDS or values[0] <= 0.0:
        return ""
    slope = math.log(values[-1] / values[0]) / math.log(pairs[-1].images / pairs[0].images)
    return f"n^{slope:.2f}"


def _row(name: str, cells: Iterable[str]) -> list[str]:
    return [name, *cells, ""]


def _ratio(numerator: float, denominator: float) -> str:
    return f"{numerator / denominator:.2f}"


def _trainer_ratio(pair: Pair) -> str:
    return _ratio(pair.pipeline.phases[TRAINER], pair.plain.phases["Train"])


def _steps(run: Measured) -> str:
    return str(sum(len(epoch) for epoch in run.facts["epochs"]))


def _per_step(run: Measured) -> str:
    seconds = seconds_per_step(run.facts["epochs"])
    return "" if seconds is None else f"{1000 * seconds:.1f}"


def _step_ratio(pair: Pair) -> str:
    ours = seconds_per_step(pair.pipeline.facts["epochs"])
    plain = seconds_per_step(pair.plain.facts["epochs"])
    return "" if ours is None or plain is None else _ratio(ours, plain)


def _gib(run: Measured) -> str:
    return f"{run.peak_bytes / 2**30:.2f}"
