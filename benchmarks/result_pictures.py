"""Pictures of a model's results: calibration, and which classes it takes for which."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt


@dataclass(frozen=True)
class ErrorPair:
    """Images of one class that are taken for another.

    Attributes:
      labelled: The class by the data.
      predicted: The class by the model.
      count: How many images.
      share: Of the images of the labelled class.
      confidence: Mean probability of the wrong class, in [0, 1].
      sure: How many of them with a probability of at least 0.9.
    """

    labelled: str
    predicted: str
    count: int
    share: float
    confidence: float
    sure: int


def error_pairs(
    truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]
) -> list[ErrorPair]:
    """Groups the errors by label and prediction, the most frequent first.

    Args:
      truth: int[n], class indices.
      probabilities: float[n, c].
      labels: Class names by index.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    pairs = []
    for row, column in np.ndindex(len(labels), len(labels)):
        wrong = (truth == row) & (predicted == column)
        if row != column and wrong.any():
            pairs.append(
                ErrorPair(
                    labels[row],
                    labels[column],
                    int(wrong.sum()),
                    float(wrong.sum() / (truth == row).sum()),
                    float(confidence[wrong].mean()),
                    int((confidence[wrong] >= 0.9).sum()),
                )
            )
    return sorted(pairs, key=lambda pair: (-pair.count, pair.labelled, pair.predicted))


def plot_calibration(path: Path, sums: np.ndarray, error: float) -> None:
    """Draws accuracy against confidence, and how many images each bin has.

    Args:
      path: Where the PNG goes.
      sums: float64[3, bins], as of `pipeline.calibration_bins.bin_sums`.
      error: The expected calibration error, for the legend.
    """
    examples, right, confidence = sums
    bins = sums.shape[1]
    filled = examples > 0
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(5, 5.5), sharex=True, height_ratios=(3, 1))
    edges = np.arange(bins) / bins
    upper.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="perfect")
    upper.bar(
        edges[filled],
        right[filled] / examples[filled],
        width=1 / bins,
        align="edge",
        edgecolor="white",
        alpha=0.7,
        label=f"accuracy, ECE {error:.4f}",
    )
    upper.plot(
        confidence[filled] / examples[filled],
        right[filled] / examples[filled],
        marker="o",
        ms=3,
        lw=1,
        color="tab:red",
        label="at the mean confidence",
    )
    upper.set_ylabel("accuracy")
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1)
    upper.legend(loc="upper left", fontsize=9)
    upper.grid(alpha=0.3)
    lower.bar(edges, examples, width=1 / bins, align="edge", edgecolor="white", color="tab:gray")
    lower.set_ylabel("images")
    lower.set_xlabel("confidence")
    _save(figure, path)


def plot_error_pairs(path: Path, pairs: Sequence[ErrorPair]) -> None:
    """Draws the number of errors of each pair of classes, the sure ones darker."""
    rows = range(len(pairs))
    figure, axes = plt.subplots(figsize=(7, 1.0 + 0.3 * len(pairs)))
    axes.barh(rows, [pair.count for pair in pairs], color="tab:blue", alpha=0.5, label="all")
    axes.barh(rows, [pair.sure for pair in pairs], color="tab:red", label="at 0.9 or surer")
    axes.set_yticks(rows, [f"{pair.labelled} taken for {pair.predicted}" for pair in pairs])
    axes.invert_yaxis()
    axes.set_xlabel("images of the eval split")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize=9)
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
