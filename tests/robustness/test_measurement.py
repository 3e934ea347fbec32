"""What is measured: the same images every time, and the drop with its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.robustness_report.measurement import measure, paired_drop
from components.robustness_report.perturbations import Perturbation, brighten
from components.robustness_report.report import PerturbedResult, RobustnessResults


def by_brightness(pixels: np.ndarray) -> np.ndarray:
    """A model that knows bright images, class 1, from dark ones."""
    return (pixels.mean(axis=(1, 2, 3)) > 128).astype(int)


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    truth = np.arange(count) % 2
    pixels = np.where(truth == 1, 160, 90).astype(np.uint8)
    return np.broadcast_to(pixels[:, None, None, None], (count, 8, 8, 1)), truth


def test_drop_is_that_of_the_same_images() -> None:
    pixels, truth = images(600)
    lights = Perturbation("brightness", "{:+d}", (-10, -40, 40), brighten)
    report = measure(by_brightness, pixels, truth, [lights])
    assert (report.images, report.accuracy) == (600, 1.0)
    assert [(one.setting, one.accuracy, one.drop) for one in report.results] == [
        ("-10", 1.0, 0.0),
        ("-40", 0.5, 0.5),
        ("+40", 0.5, 0.5),
    ]


def test_a_model_may_do_better_on_changed_images() -> None:
    pixels, truth = images(10)
    report = measure(
        lambda batch: by_brightness(batch) * (batch.max() > 200),
        pixels,
        truth,
        [Perturbation("brightness", "{:+d}", (50,), lambda p, strength, generator: p + 50)],
    )
    assert report.accuracy == 0.5
    assert report.results[0].drop <= 0.0


def test_results_depend_on_the_arguments_alone() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (300, 16, 16, 1), np.uint8)
    truth = by_brightness(pixels)
    assert measure(by_brightness, pixels, truth) == measure(by_brightness, pixels, truth)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_drop_and_margin_of_any_outcome(pairs: list[tuple[bool, bool]]) -> None:
    before, after = np.array(pairs).T
    drop, margin = paired_drop(before, after)
    assert drop == pytest.approx(before.mean() - after.mean())
    assert margin >= 0
    assert paired_drop(after, before) == (-drop, margin)


def test_margin_is_the_wald_interval_of_dependent_proportions() -> None:
    # 944 agree on both, 86 only before, 150 only after: Agresti's example of approval ratings,
    # "Categorical Data Analysis", whose standard error is 0.0095 of 1,600.
    before = np.array([True] * 794 + [True] * 150 + [False] * 86 + [False] * 570)
    after = np.array([True] * 794 + [False] * 150 + [True] * 86 + [False] * 570)
    drop, margin = paired_drop(before, after)
    assert drop == pytest.approx(0.04)
    assert margin == pytest.approx(1.96 * 0.0095, abs=1e-4)


def result(accuracy: float, before: float = 0.8) -> PerturbedResult:
    return PerturbedResult(
        perturbation="blur",
        strength=0.02,
        setting="2%",
        accuracy=accuracy,
        drop=before - accuracy,
        margin=0.01,
    )


@given(lost=st.integers(-200, 800), gate=st.booleans())
def test_exactly_the_bound_may_be_lost(lost: int, gate: bool) -> None:
    report = RobustnessResults(
        images=1000,
        accuracy=0.8,
        max_drop=0.1,
        gate=gate,
        results=[result((800 - lost) / 1000)],
    )
    assert bool(report.beyond) == (lost > 100)
    assert bool(report.missed) == (lost > 100 and gate)


def test_a_drop_beyond_the_bound_is_one_sentence() -> None:
    report = RobustnessResults(
        images=100, accuracy=0.8, max_drop=0.1, gate=True, results=[result(0.5), result(0.75)]
    )
    assert report.missed == [
        "blur: 2% takes the accuracy from 0.8000 to 0.5000, 0.3000 down, where at most 0.1000 may "
        "be lost."
    ]
