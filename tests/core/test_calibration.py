"""Expected calibration error: the textbook's number, whatever way the data are cut up."""

from typing import Any

import tfx.v1  # noqa: F401  (before TFMA)
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_model_analysis.metrics import metric_types

from pipeline.calibration import NAME, ExpectedCalibrationError

_Predictions = tuple[np.ndarray, np.ndarray]


@st.composite
def _predictions(draw: st.DrawFn, most: int = 40) -> _Predictions:
    """Labels int[n] and probabilities float64[n, classes] of a random model."""
    classes, count = draw(st.integers(2, 7)), draw(st.integers(1, most))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.05, 1.0, 20.0]))
    probabilities = generator.dirichlet(np.full(classes, 1.0 / sharpness), count)
    return generator.integers(0, classes, count), probabilities


def _reference(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """Guo et al., 2017, equation 3, term by term."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        members = index == b
        if members.any():
            gap = abs(right[members].mean() - confidence[members].mean())
            error += members.mean() * gap
    return error


def _combiner(bins: int) -> Any:
    (computation,) = ExpectedCalibrationError(bins=bins).computations()
    return computation.combiner


def _accumulate(combiner: Any, labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    sums = combiner.create_accumulator()
    for label, row in zip(labels, probabilities, strict=True):
        inputs = metric_types.StandardMetricInputs(
            label=np.array([label]), prediction=row, example_weight=np.array([1.0])
        )
        sums = combiner.add_input(sums, inputs)
    accumulated: np.ndarray = sums
    return accumulated


def _error(combiner: Any, sums: np.ndarray) -> float:
    ((key, value),) = combiner.extract_output(sums).items()
    assert key.name == NAME
    assert isinstance(value, float)
    return value


@settings(max_examples=60, deadline=None)
@given(_predictions(), st.sampled_from([1, 2, 10, 15]))
def test_it_is_the_mean_gap_of_confidence_and_accuracy(
    predictions: _Predictions, bins: int
) -> None:
    combiner = _combiner(bins)
    measured = _error(combiner, _accumulate(combiner, *predictions))
    assert measured == pytest.approx(_reference(*predictions, bins), abs=1e-9)
    assert 0.0 <= measured <= 1.0 + 1e-9


@settings(max_examples=60, deadline=None)
@given(_predictions(), st.data())
def test_parts_merge_to_the_same_number_however_they_are_grouped(
    predictions: _Predictions, data: st.DataObject
) -> None:
    labels, probabilities = predictions
    combiner = _combiner(15)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(labels)), min_size=2, max_size=2)))
    parts = [
        _accumulate(combiner, some_labels, some)
        for some_labels, some in zip(
            np.split(labels, cuts), np.split(probabilities, cuts), strict=True
        )
    ]
    a, b, c = parts
    merge = combiner.merge_accumulators
    whole = _accumulate(combiner, labels, probabilities)
    for merged in (merge([merge([a, b]), c]), merge([a, merge([b, c])]), merge([c, b, a])):
        assert np.allclose(merged, whole, atol=1e-12)


def test_merging_leaves_the_parts_as_they_are() -> None:
    combiner = _combiner(2)
    part = _accumulate(combiner, np.array([0]), np.array([[0.75, 0.25]]))
    before = part.copy()
    combiner.merge_accumulators([part, part])
    assert np.array_equal(part, before)


@pytest.mark.parametrize(
    ("labels", "probabilities", "expected"),
    [
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]], 0.0),
        ([1, 0], [[1.0, 0.0], [0.0, 1.0]], 1.0),
        ([0, 1], [[0.75, 0.25], [0.75, 0.25]], 0.25),
    ],
    ids=["sure and right", "sure and wrong", "three quarters sure, half right"],
)
def test_known_cases(labels: list[int], probabilities: list[list[float]], expected: float) -> None:
    combiner = _combiner(15)
    sums = _accumulate(combiner, np.array(labels), np.array(probabilities))
    assert _error(combiner, sums) == pytest.approx(expected)


def test_no_examples_have_no_error() -> None:
    combiner = _combiner(15)
    assert _error(combiner, combiner.create_accumulator()) == 0.0
