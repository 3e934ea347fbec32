"""The report page: everything that a run decided, as HTML that no name can break."""

import itertools
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import (
    Copies,
    IngestReport,
    RejectedFiles,
    SourceInfo,
    SplitCounts,
)
from components.robustness_report.report import PerturbedResult, RobustnessResults
from components.tflite_evaluator.report import EdgeReport
from pipeline import config, report_page
from pipeline.outcome import Outcome, Pushed

_HOSTILE = "<script>alert('x')</script>&\"angry\""


class _Page(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _outcome(training: Path, label: str = "angry", **changed: object) -> Outcome:
    counts = SplitCounts(accepted=3, classes={label: 2, "happy": 1})
    values: dict[str, object] = {
        "ingest": IngestReport(
            read=8,
            accepted=6,
            rejected=2,
            source=SourceInfo(kind="zip", name=f"{label}.zip", bytes=9, fingerprint="f"),
            split_by="folders",
            splits={"train": counts, "eval": counts},
            rejections={
                next(iter(Rejection)): RejectedFiles(count=2, names=[f"{label}/1.jpg", "2.jpg"])
            },
            copies=Copies(),
        ),
        "metrics": {"accuracy": 0.875, f"accuracy[label={label}]": 0.5},
        "missed": [],
        "serving": None,
        "edge": EdgeReport(),
        "pushed": [Pushed("SavedModel", "3", Path("/workspace/serving/expression/3"))],
        "training": training,
        "labels": [label, "happy"],
    }
    return Outcome(**(values | changed))  # type: ignore[arg-type]


@pytest.fixture
def training(tmp_path: Path) -> Path:
    folder = tmp_path / "training"
    folder.mkdir()
    for name in ("history.png", "confusion_matrix.png"):
        (folder / name).write_bytes(b"PNG of " + name.encode())
    return folder


def _write(folder: Path, outcome: Outcome) -> str:
    settings = config.load(assignments=["evaluate.accuracy=0.6", "evaluate.class_recall=0.2"])
    page = report_page.write(folder, outcome, settings, "2026-01-02T03:04:05+00:00")
    assert page == folder / "index.html"
    return page.read_text()


def test_a_report_shows_data_gates_metrics_what_was_pushed_and_every_setting(
    tmp_path: Path, training: Path
) -> None:
    text = _Page(_write(tmp_path / "reports", _outcome(training))).text
    for told in ("accuracy", "0.8750", "passed", "angry", "angry.zip: 8 files read, 6 accepted, "):
        assert any(told in piece for piece in text), told
    assert "/workspace/serving/expression/3" in text
    assert {"train.epochs", "evaluate.accuracy", "train.augment"} <= set(text)


def test_pictures_of_the_training_are_copied_beside_the_page(
    tmp_path: Path, training: Path
) -> None:
    reports = tmp_path / "reports"
    page = _write(reports, _outcome(training))
    for name in ("history.png", "confusion_matrix.png"):
        assert (reports / name).read_bytes() == (training / name).read_bytes()
        assert f"src='{name}'" in page


def test_a_missed_threshold_is_told_and_the_verdict_is_not_pushed(
    tmp_path: Path, training: Path
) -> None:
    missed = ["accuracy is 0.5, below 0.6."]
    outcome = _outcome(training, missed=missed, metrics={"accuracy": 0.5}, pushed=[])
    text = _Page(_write(tmp_path / "reports", outcome)).text
    assert missed[0] in text
    assert "expression: not pushed" in text
    assert "missed" in text
    assert "passed" not in text


@pytest.mark.parametrize(
    ("change", "told", "word"),
    [(0.005, "+0.0050", "passed"), (-0.0101, "-0.0101", "missed"), (None, "", "")],
)
def test_the_change_against_the_latest_blessed_model_is_a_gate_where_there_is_one(
    tmp_path: Path, training: Path, change: float | None, told: str, word: str
) -> None:
    text = _Page(_write(tmp_path / "reports", _outcome(training, accuracy_change=change))).text
    name = "accuracy against the latest blessed model"
    if change is None:
        assert name not in text
    else:
        row = text.index(name)
        assert text[row + 1 : row + 4] == [told, "≥ -0.0100", word]


def test_counts_are_whole_numbers_and_shares_have_four_decimals(
    tmp_path: Path, training: Path
) -> None:
    metrics = {"accuracy": 1.0, "example_count": 3589.0, "loss": 0.12345}
    text = _Page(_write(tmp_path / "reports", _outcome(training, metrics=metrics))).text
    expected = {("accuracy", "1.0000"), ("example_count", "3,589"), ("loss", "0.1235")}
    assert expected <= set(itertools.pairwise(text))


def test_files_without_labels_are_accounted_for_too(tmp_path: Path, training: Path) -> None:
    labelled = _outcome(training).ingest
    unlabelled = labelled.model_copy(
        update={
            "source": labelled.source.model_copy(update={"name": "holiday"}),
            "splits": {"unlabelled": SplitCounts(accepted=6)},
        }
    )
    page = _write(tmp_path / "reports", _outcome(training, unlabelled=unlabelled))
    assert "holiday: 8 files read, 6 accepted, 2 rejected." in _Page(page).text


def test_names_of_classes_files_and_features_are_text_not_html(
    tmp_path: Path, training: Path
) -> None:
    sentence = f"accuracy[label={_HOSTILE}] is 0.1, below 0.2."
    outcome = _outcome(
        training,
        label=_HOSTILE,
        missed=[sentence],
        pushed=[Pushed("SavedModel", "3", Path("/work") / _HOSTILE)],
    )
    page = _Page(_write(tmp_path / "reports", outcome))
    assert "script" not in page.tags
    assert _HOSTILE in page.text
    assert sentence in page.text


def test_a_report_holds_nothing_of_the_run_before(tmp_path: Path, training: Path) -> None:
    reports = tmp_path / "reports"
    table = tmp_path / "predictions.csv"
    table.write_text("file_name,label,score\n")
    _write(reports, _outcome(training, predictions=table))
    assert (reports / "predictions.csv").exists()
    (training / "history.png").unlink()
    page = _write(reports, _outcome(training))
    assert {path.name for path in reports.iterdir()} == {"index.html", "confusion_matrix.png"}
    assert "history.png" not in page


@pytest.mark.parametrize(
    ("gate", "consequence"), [(True, "is not pushed"), (False, "all the same")]
)
def test_robustness_is_shown_with_what_is_beyond_the_bound(
    tmp_path: Path, training: Path, gate: bool, consequence: str
) -> None:
    picture = tmp_path / "robustness.png"
    picture.write_bytes(b"PNG")
    results = [
        PerturbedResult(
            perturbation=name, strength=1, setting="1", accuracy=0.8 - drop, drop=drop, margin=0.01
        )
        for name, drop in (("blur", 0.3), ("shift", 0.05))
    ]
    report = RobustnessResults(images=9, accuracy=0.8, max_drop=0.1, gate=gate, results=results)
    outcome = _outcome(training, robustness=report, robustness_picture=picture)
    page = _write(tmp_path / "reports", outcome)
    assert (tmp_path / "reports" / "robustness.png").exists()
    assert "robustness.png" in page
    text = _Page(page).text
    assert ("accuracy lost to blur: 1" in text) == gate
    assert "blur: 1" in text
    assert any(consequence in piece for piece in text)
    assert (text.count("beyond"), text.count("within")) == (1, 1)
