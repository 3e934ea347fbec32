"""The edge gate: which results are blessed, and what is said of those that are not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.tflite_evaluator.report import EdgeReport, TFLiteResult, missed_thresholds
from pipeline.errors import UserError


def report(*, reference: float = 0.8, int8: float = 0.8, difference: float = 0.0) -> EdgeReport:
    def result(accuracy: float, distance: float) -> TFLiteResult:
        return TFLiteResult(
            accuracy=accuracy,
            agreement=1.0,
            max_probability_difference=distance,
            bytes=1,
            milliseconds_per_image=1.0,
        )

    return EdgeReport(
        examples=100,
        saved_model_accuracy=reference,
        float32=result(reference, difference),
        int8=result(int8, 0.1),
    )


@given(right=st.integers(0, 1000), kept=st.integers(0, 1000))
def test_int8_may_lose_exactly_the_allowed_accuracy(right: int, kept: int) -> None:
    missed = missed_thresholds(report(reference=right / 1000, int8=kept / 1000), 0.01, 1e-3)
    assert bool(missed) == (right - kept > 10)


@pytest.mark.parametrize(("difference", "blessed"), [(0.0, True), (0.1, False), (1.0, False)])
def test_float32_must_give_the_probabilities_of_the_savedmodel(
    difference: float, blessed: bool
) -> None:
    assert (missed_thresholds(report(difference=difference), 0.01, 1e-3) == []) == blessed


def test_sentence_names_what_was_measured_and_allowed() -> None:
    (sentence,) = missed_thresholds(report(reference=0.8, int8=0.75), 0.01, 1e-3)
    assert sentence == (
        "The int8 TFLite model's accuracy is 0.7500, 0.0500 under the SavedModel's 0.8000,"
        " where at most 0.0100 may be lost."
    )


def test_no_results_miss_the_gate() -> None:
    assert missed_thresholds(EdgeReport(), 0.01, 1e-3)


def test_report_is_read_back_as_written(tmp_path: Path) -> None:
    written = EdgeReport(missed=["No."], unknown_labels=3)
    written.write(str(tmp_path / "new"))
    assert EdgeReport.read(str(tmp_path / "new")) == written


def test_missing_report_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"edge_evaluation\.json is not an edge evaluation"):
        EdgeReport.read(str(tmp_path))
