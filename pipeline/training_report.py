"""History, classification report and confusion matrix of a training, as JSON and pictures."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from sklearn import metrics

REPORT_FILE = "classification_report.json"
CONFUSION_FILE = "confusion_matrix.json"
HISTORY_FILE = "history.json"


def write(
    folder: Path,
    labels: list[str],
    truth: np.ndarray,
    predicted: np.ndarray,
    history: list[dict[str, float]],
) -> None:
    """Writes the reports of a run.

    Args:
      folder: An existing folder.
      labels: Class names by index.
      truth: int[n], the eval split's label indices.
      predicted: int[n], the model's.
      history: One row an epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`.
    """
    indices = list(range(len(labels)))
    report = metrics.classification_report(
        truth, predicted, labels=indices, target_names=labels, output_dict=True, zero_division=0
    )
    matrix = metrics.confusion_matrix(truth, predicted, labels=indices)
    _write_json(folder / REPORT_FILE, report)
    _write_json(folder / CONFUSION_FILE, {"labels": labels, "matrix": matrix.tolist()})
    _write_json(folder / HISTORY_FILE, history)
    plot_confusion(folder / "confusion_matrix.png", labels, matrix)
    if history:
        plot_history(folder / "history.png", history)


def plot_confusion(path: Path, labels: list[str], matrix: np.ndarray) -> None:
    """Draws a confusion matrix, int[c, c] with a row for each true class, shaded by row share."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 0.75 * len(labels) + 1.5)
    figure, axes = plt.subplots(figsize=(side, side))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        axes.text(
            column,
            row,
            f"{matrix[row, column]}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if shares[row, column] > 0.5 else "black",
        )
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_history(path: Path, history: list[dict[str, float]]) -> None:
    """Draws loss and accuracy of train and validation over the epochs."""
    epochs = [row["epoch"] + 1 for row in history]
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.5))
    for axes, key in zip(panels, ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[key] for row in history], marker="o", ms=3, label="train")
        axes.plot(
            epochs, [row[f"val_{key}"] for row in history], marker="o", ms=3, label="validation"
        )
        axes.set_xlabel("epoch")
        axes.set_title(key)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
