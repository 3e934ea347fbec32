"""The two loops: the same losses, and the same behaviour around them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import input_data, training_loop, training_setup
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.training_setup import TrainingData

_SIDE, _CLASSES, _COUNT, _STEPS = 16, 3, 88, 5
_BATCH = 16
_BASE: dict[str, Any] = {
    "epochs": 2,
    "batch_size": _BATCH,
    "filters": [4, 8],
    "dropout": 0.5,
    "l2": 0.01,
    "label_smoothing": 0.1,
    "augment": {"erase": 0.3},
    "jit_compile": False,
}


def _examples(count: int, seed: int) -> tf.data.Dataset:
    generator = np.random.default_rng(seed)
    labels = generator.integers(_CLASSES, size=count)
    images = generator.normal(size=(count, _SIDE, _SIDE, 1)).astype(np.float32)
    images[:, :, :8] += labels[:, None, None, None]
    return tf.data.Dataset.from_tensor_slices((images, tf.one_hot(labels, _CLASSES)))


def _data(settings: TrainSettings, class_weights: dict[int, float] | None = None) -> TrainingData:
    return TrainingData(
        source=cast(input_data.ExampleSource, None),
        transform_output=None,
        train=input_data.training_batches(_examples(_COUNT, 0), _COUNT, settings, small=_STEPS),
        validate=input_data.evaluation_batches(_examples(20, 1), settings),
        steps=_STEPS,
        class_weights=class_weights,
    )


class _Steps(keras.callbacks.Callback):
    """Loss and accuracy of each step; Keras tells the means since the epoch's first step."""

    def __init__(self) -> None:
        super().__init__()
        self.loss: list[float] = []
        self.accuracy: list[float] = []
        self._means: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._means = {"loss": 0.0, "accuracy": 0.0}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        for name, values in (("loss", self.loss), ("accuracy", self.accuracy)):
            values.append((batch + 1) * float(logs[name]) - batch * self._means[name])
            self._means[name] = float(logs[name])


def _train(
    loop: str,
    class_weights: dict[int, float] | None = None,
    callbacks: list[keras.callbacks.Callback] | None = None,
    **changed: Any,
) -> tuple[keras.Model, dict[str, list[float]], _Steps]:
    settings = TrainSettings.model_validate(_BASE | {"loop": loop} | changed)
    training_setup.configure(settings)
    data = _data(settings, class_weights)
    network = training_setup.compiled_network(settings, _SIDE, _CLASSES, _STEPS)
    steps = _Steps()
    history = training_loop.fit(network, data, settings, [steps, *(callbacks or [])])
    return network, history.history, steps


@pytest.mark.parametrize(
    ("changed", "class_weights"),
    [
        ({}, None),
        ({"jit_compile": True}, None),
        ({"optimizer": "sgd", "schedule": "constant"}, {0: 0.5, 1: 1.0, 2: 2.0}),
        ({"optimizer": "adamw", "activation": "silu"}, None),
        ({"weight_average": 0.7, "final_rate": 0.5}, None),
        ({"small_first": 0.5}, None),
        ({"small_first": 0.5, "jit_compile": True}, None),
    ],
    ids=[
        *("as set", "XLA", "class weights", "weight decay", "mean of weights"),
        *("small first", "small first, XLA"),
    ],
)
def test_both_loops_give_the_same_losses_over_ten_steps(
    changed: dict[str, Any], class_weights: dict[int, float] | None
) -> None:
    network, history, steps = _train("fit", class_weights, **changed)
    own_network, own_history, own_steps = _train("custom", class_weights, **changed)
    assert len(steps.loss) == 2 * _STEPS == 10
    np.testing.assert_allclose(own_steps.loss, steps.loss, atol=1e-4)
    np.testing.assert_allclose(own_steps.accuracy, steps.accuracy, atol=1e-4)
    assert own_history.keys() == history.keys() >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name in history:
        np.testing.assert_allclose(own_history[name], history[name], atol=1e-4, err_msg=name)
    for own, other in zip(own_network.weights, network.weights, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-3, err_msg=own.path)


def test_what_the_test_compares_does_depend_on_dropout_augmentation_and_penalties() -> None:
    _, _, steps = _train("custom")
    others_by: list[dict[str, Any]] = [
        {"dropout": 0.0},
        {"augment": {}},
        {"l2": 0.0},
        {"label_smoothing": 0.0},
    ]
    for changed in others_by:
        _, _, others = _train("custom", **changed)
        assert np.abs(np.subtract(steps.loss, others.loss)).max() > 1e-3, changed


@pytest.fixture
def _float16(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mixed precision as on a GPU."""
    before = keras.mixed_precision.global_policy()
    policy = keras.mixed_precision.set_global_policy
    monkeypatch.setattr(keras.mixed_precision, "set_global_policy", lambda _: policy(_MIXED))
    yield
    policy(before)


_MIXED = "mixed_float16"


@pytest.mark.usefixtures("_float16")
def test_both_loops_scale_the_loss_of_float16_alike() -> None:
    network, _, steps = _train("fit")
    own_network, _, own_steps = _train("custom")
    for trained in (network, own_network):
        assert isinstance(trained.optimizer, keras.optimizers.LossScaleOptimizer)
    np.testing.assert_allclose(own_steps.loss, steps.loss, atol=1e-2)
    assert int(own_network.optimizer.iterations) == int(network.optimizer.iterations) > 0


class _StopAfter(keras.callbacks.Callback):
    def __init__(self, step: int):
        super().__init__()
        self._at = step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch == self._at:
            self.model.stop_training = True


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_callback_ends_the_training_at_its_step(loop: str) -> None:
    _, history, steps = _train(loop, callbacks=[_StopAfter(2)])
    assert len(steps.loss) == 3
    assert len(history["val_loss"]) == 1


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_plateau_lowers_the_learning_rate(loop: str) -> None:
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    network, _, _ = _train(
        loop, callbacks=[plateau], schedule="plateau", learning_rate=0.01, epochs=3
    )
    assert float(network.optimizer.learning_rate) == pytest.approx(0.0025)


class _Mean(keras.callbacks.Callback):
    """The running mean of the first weights, from the weights after each step."""

    mean: np.ndarray | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        weights = self.model.get_weights()[0]
        self.mean = weights if self.mean is None else 0.7 * self.mean + 0.3 * weights


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_mean_of_weights_is_left_in_the_network(loop: str) -> None:
    by_hand = _Mean()
    network, _, _ = _train(loop, callbacks=[by_hand], weight_average=0.7)
    assert by_hand.mean is not None
    np.testing.assert_allclose(network.get_weights()[0], by_hand.mean, atol=1e-6)


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_loss_that_is_no_number_ends_the_training(loop: str) -> None:
    _, _, steps = _train(
        loop,
        {0: float("nan"), 1: 1.0, 2: 1.0},
        callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    assert len(steps.loss) == 1


def test_both_loops_train_alike_on_two_devices() -> None:
    """In a process of its own: a CPU is split before TensorFlow starts or never."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.two_devices"],
        cwd=Path(REPOSITORY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
