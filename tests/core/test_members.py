"""A training of several networks, exported as the one model of their mean."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import config, model, temperature, training_loop
from pipeline.config import TrainSettings
from tests.core.training_run import SMALL, Silent, train


class KilledError(Exception):
    """Stands for kill -9."""


def test_members_differ_in_their_seeds_alone() -> None:
    settings = TrainSettings(members=3, seed=5, filters=[8])
    assert [settings.of_member(index) for index in range(3)] == [
        TrainSettings(seed=seed, filters=[8]) for seed in (5, 6, 7)
    ]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where runs go that differ in their training alone, so that what comes before it runs once."""
    return tmp_path_factory.mktemp("drawn")


@pytest.mark.parametrize("momentum", [0.0, 0.3], ids=["best epoch", "mean of weights"])
def test_a_killed_training_goes_on_with_the_member_it_was_at(
    drawn: Path, monkeypatch: pytest.MonkeyPatch, momentum: float
) -> None:
    two = ["train.members=2", f"train.weight_average={momentum}", "train.calibrate=false"]
    settings = config.load(assignments=[*SMALL, *two])
    trained: list[tuple[int, list[int]]] = []
    exported: list[list[np.ndarray]] = []
    kernels: list[np.ndarray] = []
    fit, averaged = training_loop.fit, model.averaged

    def killed_once_in_the_second(
        network: Any, data: Any, settings: TrainSettings, **more: Any
    ) -> Any:
        history = None if len(trained) == 1 else fit(network, data, settings, **more)
        trained.append((settings.seed, history.epoch if history else []))
        if history is None:
            raise KilledError
        kernels.append(network.get_weights()[0])
        return history

    def watched(networks: list[Any], **views: Any) -> Any:
        exported.append([network.get_weights()[0] for network in networks])
        return averaged(networks, **views)

    monkeypatch.setattr(training_loop, "fit", killed_once_in_the_second)
    monkeypatch.setattr(model, "averaged", watched)
    with pytest.raises(KilledError):
        train(settings, drawn, Silent())
    outputs = train(settings, drawn, Silent())

    seed = settings.train.seed
    assert trained == [(seed, [0]), (seed + 1, []), (seed, []), (seed + 1, [0])]
    ((first, second),) = exported
    assert not np.allclose(first, second)
    # Of the process before the kill, of the one that went on, and of the second member.
    np.testing.assert_array_equal([first, first, second], kernels)
    folder = Path(outputs["Trainer", "model"].uri) / "Format-Serving"
    answers = tf.saved_model.load(str(folder)).signatures["pixels"](
        pixels=tf.zeros([1, settings.image.size, settings.image.size, 1], tf.uint8)
    )
    assert np.isclose(np.sum(answers["probabilities"]), 1.0)


def spread(network: keras.Model, batches: tf.data.Dataset) -> float:
    """A temperature that is twice as high for logits twice as large, as the real one is."""
    logits = network.predict(batches.map(lambda image, _: image), verbose=0)
    return float(np.std(logits))


@pytest.mark.parametrize("calibrate", ["false", "true"])
def test_devices_get_the_first_members_alone_at_their_own_temperature(
    drawn: Path, calibrate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small networks trained for a moment would all get the highest temperature there is.
    monkeypatch.setattr(temperature, "fit", spread)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1), np.uint8))

    def answers(*assignments: str) -> dict[str, np.ndarray]:
        settings = config.load(assignments=[*SMALL, f"train.calibrate={calibrate}", *assignments])
        outputs = train(settings, drawn, Silent())
        exported = tf.saved_model.load(f"{outputs['Trainer', 'model'].uri}/Format-Serving")
        return {
            name: exported.signatures[name](pixels=images)["probabilities"].numpy()
            for name in ("pixels", "device_pixels")
            if name in exported.signatures
        }

    alone = answers()
    several = answers("train.members=2", "train.device_members=1")
    assert list(alone) == ["pixels"]
    np.testing.assert_allclose(several["device_pixels"], alone["pixels"], atol=1e-4)
    assert not np.allclose(several["pixels"], several["device_pixels"], atol=1e-5)
