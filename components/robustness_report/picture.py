"""Draws a robustness report."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from components.robustness_report.report import RobustnessResults


def plot(path: Path, report: RobustnessResults) -> None:
    """Draws accuracy by change and strength, with its 95 % interval, beside the bound.

    Args:
        path: where the PNG goes.
        report: with an accuracy and results.
    """
    assert report.accuracy is not None  # noqa: S101  (callers checked)
    results = report.results
    rows = range(len(results))
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.27 * len(results)))
    axes.barh(
        rows,
        [result.accuracy for result in results],
        xerr=[result.margin for result in results],
        color=["tab:blue" if report.holds(result) else "tab:red" for result in results],
        height=0.7,
        error_kw={"lw": 1, "capsize": 2},
    )
    axes.axvline(report.accuracy, color="black", lw=1, label=f"unchanged, {report.accuracy:.3f}")
    axes.axvline(
        report.accuracy - report.max_drop,
        color="tab:red",
        lw=1,
        ls="--",
        label=f"bound, {report.max_drop:g} down",
    )
    axes.set_yticks(rows, [f"{result.perturbation}: {result.setting}" for result in results])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(f"accuracy on the same {report.images:,} images")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="upper right", ncols=2, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(path, dpi=120)
    plt.close(figure)
