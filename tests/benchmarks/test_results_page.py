"""The results page: its tables, and that it is of the model that was evaluated."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.result_pictures import error_pairs, plot_calibration, plot_error_pairs
from benchmarks.results_page import Answers, check_accuracy, class_table, leak_table, write
from components.image_example_gen.report import (
    Copies,
    CopyFile,
    CopyGroup,
    IngestReport,
    SourceInfo,
)
from pipeline.calibration_bins import bin_sums
from pipeline.errors import UserError
from pipeline.workspace import Workspace

LABELS = ["a", "b"]
TRUTH = np.array([0, 0, 0, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.05, 0.95], [0.4, 0.6], [0.2, 0.8]])
ANSWERS = Answers(LABELS, TRUTH, PROBABILITIES, ["1.jpg", "2.jpg", "3.jpg", "4.jpg"])


def test_errors_are_told_as_pairs_of_classes() -> None:
    [pair] = error_pairs(TRUTH, PROBABILITIES, LABELS)
    assert (pair.labelled, pair.predicted, pair.count, pair.sure) == ("a", "b", 2, 1)
    assert pair.share == pytest.approx(2 / 3)
    assert pair.confidence == pytest.approx((0.95 + 0.6) / 2)


def test_classes_have_precision_recall_and_f1() -> None:
    lines = class_table(np.array([[1, 2], [0, 1]]), LABELS).splitlines()
    assert lines[2:] == [
        "| a | 3 | 1.0000 | 0.3333 | 0.5000 |",
        "| b | 1 | 0.3333 | 1.0000 | 0.5000 |",
        "| mean of the classes | 4 | 0.6667 | 0.6667 | 0.5000 |",
    ]


def test_leaked_images_are_those_of_eval_that_stood_in_train() -> None:
    files = [
        CopyFile(name="4.jpg", split="eval", label="b"),
        CopyFile(name="1.jpg", split="train", label="b"),
    ]
    ingest = IngestReport(
        read=5,
        accepted=5,
        rejected=0,
        source=SourceInfo(kind="zip", name="a.zip", bytes=9, fingerprint="f"),
        split_by="folders",
        splits={},
        rejections={},
        copies=Copies(train_in_eval=[CopyGroup(content_hash="0", files=files)]),
    )
    assert leak_table(ANSWERS, ingest).splitlines()[2:] == [
        "| all | 4 | 0.5000 |",
        "| also in the archive's train split | 1 | 1.0000 |",
        "| all but those | 3 | 0.3333 |",
    ]


def test_another_model_than_the_evaluated_one_is_refused() -> None:
    many = Answers(LABELS, np.tile(TRUTH, 100), np.tile(PROBABILITIES, (100, 1)), [])
    check_accuracy(many, 0.5)
    check_accuracy(many, 0.495)
    with pytest.raises(UserError, match="not of one model"):
        check_accuracy(many, 0.49)


def test_a_workspace_without_a_run_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no run; run the pipeline first"):
        write(Workspace(tmp_path), tmp_path / "page.md")
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_drawn(tmp_path: Path) -> None:
    plot_calibration(tmp_path / "calibration.png", bin_sums(TRUTH, PROBABILITIES), 0.1)
    pairs = error_pairs(TRUTH, PROBABILITIES, LABELS)
    plot_error_pairs(tmp_path / "errors.png", pairs)
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
