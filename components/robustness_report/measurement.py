"""Asks a model about the same images over and over, changed in one way at a time."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from components.robustness_report.perturbations import PERTURBATIONS, Perturbation
from components.robustness_report.report import PerturbedResult, RobustnessResults

_BATCH = 256
_SEED = 1


def measure(
    predict: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray,
    truth: np.ndarray,
    perturbations: Sequence[Perturbation] = PERTURBATIONS,
) -> RobustnessResults:
    """Measures the accuracy on images as they are and after every change.

    Args:
        predict: maps uint8[n, side, side, 1] to the likeliest classes, int[n].
        pixels: the images, uint8[n, side, side, 1], n at least 1.
        truth: their classes, int[n].
        perturbations: the changes.

    Returns:
        The results, with no bound set. They depend on nothing but the arguments: what is random
        in a change is seeded.
    """
    batches = np.array_split(pixels, math.ceil(len(pixels) / _BATCH))

    def right(change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.concatenate([predict(change(batch)) for batch in batches]) == truth

    unchanged = right(lambda batch: batch)
    results = []
    for perturbation in perturbations:
        for strength in perturbation.strengths:
            generator = np.random.default_rng(_SEED)
            changed = right(partial(perturbation.apply, strength=strength, generator=generator))
            drop, margin = paired_drop(unchanged, changed)
            results.append(
                PerturbedResult(
                    perturbation=perturbation.name,
                    strength=strength,
                    setting=perturbation.form.format(strength),
                    accuracy=float(changed.mean()),
                    drop=drop,
                    margin=margin,
                )
            )
    return RobustnessResults(images=len(truth), accuracy=float(unchanged.mean()), results=results)


def paired_drop(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """How much less often the same images are right, with the half width of its 95 % interval.

    Wald interval of the difference of dependent proportions: Agresti, "Categorical Data Analysis",
    3rd edition, 11.1.

    Args:
        before: bool[n].
        after: bool[n], of the same images.
    """
    count = len(before)
    lost = int((before & ~after).sum())
    won = int((~before & after).sum())
    variance = (lost + won - (lost - won) ** 2 / count) / count**2
    return (lost - won) / count, 1.96 * math.sqrt(max(variance, 0.0))
