"""Confidence against accuracy, in bins: the definition behind every calibration figure here."""

import numpy as np

BINS = 15


def bin_sums(truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Sums over the examples of each bin of confidence, the likeliest class's probability.

    Args:
      truth: int[n], class indices.
      probabilities: float[n, c], in [0, 1].
      bins: Number of bins, of equal width.

    Returns:
      float64[3, bins]: examples, right answers and confidence.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    right = probabilities.argmax(axis=1) == truth
    columns = (np.ones_like(confidence), right.astype(np.float64), confidence)
    return np.stack([np.bincount(index, column, bins) for column in columns])


def expected_calibration_error(sums: np.ndarray) -> float:
    """Mean gap between confidence and accuracy, weighted by the examples of each bin, in [0, 1].

    With n_b of n examples in bin b: sum over b of n_b / n * |accuracy_b - confidence_b|.
    Guo et al., 2017, "On Calibration of Modern Neural Networks", equation 3.

    Args:
      sums: float64[3, bins], as of `bin_sums`.
    """
    examples, right, confidence = sums
    return float(np.abs(right - confidence).sum() / max(examples.sum(), 1.0))
