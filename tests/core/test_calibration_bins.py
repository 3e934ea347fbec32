"""The one definition of calibration error, which the Evaluator and every page share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.calibration_bins import BINS, bin_sums, expected_calibration_error


def rows(*confidences: float) -> np.ndarray:
    """Two classes; the first is the likelier one, with these probabilities."""
    first = np.array(confidences)
    return np.stack([first, 1 - first], axis=1)


def test_it_is_the_gap_of_each_bin_weighted_by_its_examples() -> None:
    # Three answers at 0.9, two of them right; one at 0.6, right.
    sums = bin_sums(np.array([0, 0, 1, 0]), rows(0.9, 0.9, 0.9, 0.6))
    assert expected_calibration_error(sums) == pytest.approx(
        3 / 4 * abs(2 / 3 - 0.9) + 1 / 4 * (1 - 0.6)
    )


def test_full_confidence_belongs_to_the_last_bin() -> None:
    assert bin_sums(np.array([0]), rows(1.0))[0].tolist() == [0] * (BINS - 1) + [1]


def test_no_example_has_no_error() -> None:
    assert expected_calibration_error(bin_sums(np.zeros(0, int), np.zeros((0, 2)))) == 0.0


@given(
    probabilities=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.just(3)),
        elements=st.floats(0, 1, width=32),
    ),
    data=st.data(),
)
def test_every_example_is_in_one_bin_and_parts_add_up(
    probabilities: np.ndarray, data: st.DataObject
) -> None:
    count = len(probabilities)
    truth = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    sums = bin_sums(truth, probabilities)
    assert sums[0].sum() == count
    assert sums[1].sum() == (probabilities.argmax(axis=1) == truth).sum()
    assert 0.0 <= expected_calibration_error(sums) <= 1.0
    cut = data.draw(st.integers(0, count))
    parts = [bin_sums(truth[part], probabilities[part]) for part in (slice(cut), slice(cut, count))]
    np.testing.assert_allclose(sum(parts), sums)
