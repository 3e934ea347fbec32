"""The report of a run as a page with pictures, for people."""

import shutil
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from components.image_example_gen.report import IngestReport
from components.prediction_table import PREDICTIONS_FILE
from components.robustness_report.report import PICTURE_FILE, RobustnessResults
from pipeline.config import Settings, as_dict
from pipeline.outcome import Outcome
from pipeline.summary import gate_rows

PAGE = "index.html"
_PICTURES = {
    "history.png": "Loss and accuracy by epoch; validation is a part of the train split.",
    "confusion_matrix.png": "Confusion matrix of the eval split, images by label and prediction.",
}
_ROBUSTNESS = (
    "Accuracy on the same images of the eval split, changed in one way at a time, with the 95 % "
    "interval of the change."
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #8884; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
img { max-width: 100%; background: white; }
.passed { color: #080; } .missed { color: #c00; }
@media (prefers-color-scheme: dark) { .passed { color: #6d6; } .missed { color: #f77; } }
"""


def write(folder: Path, outcome: Outcome, settings: Settings, run_id: str) -> Path:
    """Writes `index.html` with its pictures, and `predictions.csv` if there was bulk inference.

    Args:
      folder: Replaced by this run's report.
      outcome: What came of the run.
      settings: The run's settings; shown in full, with the train settings that were used.
      run_id: As ML Metadata names the run.

    Returns:
      The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources: dict[str, Path | None] = {name: outcome.training / name for name in _PICTURES}
    sources[PICTURE_FILE] = outcome.robustness_picture
    sources[PREDICTIONS_FILE] = outcome.predictions
    for name, source in sources.items():
        if source is not None and source.exists():
            shutil.copyfile(source, folder / name)
        else:  # The run before may have had one.
            (folder / name).unlink(missing_ok=True)
    page = folder / PAGE
    partial = page.with_suffix(".part")
    partial.write_text(_page(folder, outcome, settings, run_id), encoding="utf-8")
    partial.replace(page)
    return page


def _page(folder: Path, outcome: Outcome, settings: Settings, run_id: str) -> str:
    kinds = " and ".join(pushed.kind for pushed in outcome.pushed)
    verdict = f"{kinds} pushed" if kinds else "not pushed"
    parts = [
        f"<h1>{escape(settings.data.name)}: {verdict}</h1>",
        f"<p>Run {escape(run_id)}, report of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.</p>",
        *(f"<p class='missed'>{escape(sentence)}</p>" for sentence in outcome.missed),
        "<h2>Gates</h2>",
        _table(
            ["Gate", "Measured", "Asked for", ""],
            [
                [
                    escape(name),
                    measured,
                    bound,
                    f"<span class='{word}'>{word}</span>",
                ]
                for name, measured, bound, passed in gate_rows(outcome, settings)
                for word in ["passed" if passed else "missed"]
            ],
        ),
        *(
            f"<p>{escape(pushed.kind)} version {escape(pushed.version)}: "
            f"<code>{escape(str(pushed.path))}</code></p>"
            for pushed in outcome.pushed
        ),
        "<h2>Training</h2>",
        *(_figure(folder, name, text) for name, text in _PICTURES.items()),
        "<h2>Metrics of the eval split</h2>",
        _table(
            ["Metric", "Value"],
            [
                [escape(name), _number(value)]
                for name, value in (outcome.metrics | outcome.edge.metrics()).items()
            ],
        ),
        _robustness(folder, outcome.robustness) if outcome.robustness else "",
        "<h2>Data</h2>",
        *(_data(report) for report in (outcome.ingest, outcome.unlabelled) if report),
        "<h2>Settings</h2>",
        _table(["Setting", "Value"], _settings_rows(_used(settings, outcome))),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(settings.data.name)}: {verdict}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _figure(folder: Path, name: str, text: str) -> str:
    if not (folder / name).exists():
        return ""
    return (
        f"<figure><img src='{name}' alt='{escape(text)}'>"
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def _robustness(folder: Path, report: RobustnessResults) -> str:
    if not report.results:
        return f"<h2>Robustness</h2><p>{escape(report.not_measured)}</p>"
    consequence = "is not pushed" if report.gate else "is pushed all the same"
    rows = [
        [
            escape(f"{result.perturbation}: {result.setting}"),
            f"{result.accuracy:.4f}",
            f"{result.drop:+.4f} ± {result.margin:.4f}",
            f"<span class='{word}'>{told}</span>",
        ]
        for result in report.results
        for word, told in [("passed", "within") if report.holds(result) else ("missed", "beyond")]
    ]
    return (
        f"<h2>Robustness</h2><p>{report.accuracy:.4f} on {report.images} images of the eval split "
        f"as they are. A model that loses more than {report.max_drop:g} to a change "
        f"{consequence} (robustness.gate).</p>"
        + _figure(folder, PICTURE_FILE, _ROBUSTNESS)
        + _table(["Change", "Accuracy", "Drop", "Bound"], rows)
    )


def _data(ingest: IngestReport) -> str:
    splits = list(ingest.splits)
    classes = sorted({label for split in ingest.splits.values() for label in split.classes})
    rows = [
        [escape(label), *(str(ingest.splits[split].classes.get(label, 0)) for split in splits)]
        for label in classes
    ]
    rejected = [
        [escape(reason.value), str(files.count), escape(reason.meaning)]
        for reason, files in ingest.rejections.items()
    ]
    return (
        f"<p>{escape(ingest.source.name)}: {ingest.read} files read, {ingest.accepted} accepted, "
        f"{ingest.rejected} rejected.</p>"
        + (_table(["Class", *splits], rows) if rows else "")
        + (_table(["Rejected for", "Files", "Meaning"], rejected) if rejected else "")
    )


def _number(value: float) -> str:
    """Counts and sizes without decimals, shares with four."""
    return f"{value:,.0f}" if value.is_integer() and value > 1.0 else f"{value:.4f}"


def _used(settings: Settings, outcome: Outcome) -> dict[str, object]:
    """The settings, with those of train that a search may have changed."""
    values = as_dict(settings)
    return values | {"train": outcome.train_settings or values["train"]}


def _settings_rows(values: dict[str, object], prefix: str = "") -> list[list[str]]:
    rows = []
    for key, value in values.items():
        if isinstance(value, dict) and not prefix:
            rows += _settings_rows(value, f"{key}.")
        else:
            rows.append([escape(prefix + key), escape(str(value))])
    return rows


def _table(header: list[str], rows: list[list[str]]) -> str:
    """Cells are HTML already; those that are numbers are set to the right."""

    def cell(text: str) -> str:
        number = text[:1].isdigit() or text[:1] in "-≥≤+"
        return f"<td class='number'>{text}</td>" if number else f"<td>{text}</td>"

    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
