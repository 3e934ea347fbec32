"""Checkpoints: what a killed training leaves, and how the next process goes on from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline import training_loop
from pipeline.callbacks import judging_callbacks, training_callbacks
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import TrainSettings
from pipeline.input_data import ExampleSource
from pipeline.training_setup import TrainingData

_HEADER = "epoch,accuracy,loss,val_accuracy,val_loss\n"


class KilledError(Exception):
    """Stands for kill -9: nothing of Keras or of the caller runs after it."""


class _Kill(keras.callbacks.Callback):
    def __init__(self, epoch: int):
        super().__init__()
        self._at = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == self._at:
            raise KilledError


class _Epochs(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seen.append(epoch)


def _network() -> keras.Model:
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    network.compile(
        "adam",
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    return network


def _train(
    checkpoints: CheckpointFolder,
    run_folder: Path,
    epochs: int = 3,
    kill: Callable[[list[keras.callbacks.Callback]], None] | None = None,
    **settings: Any,
) -> tuple[keras.Model, list[int]]:
    """Trains as `pipeline.trainer` does; gives the network and the epochs that ran."""
    inputs = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    labels = np.eye(2, dtype=np.float32)[(inputs[:, 0] > 0).astype(int)]
    train_settings = TrainSettings(epochs=epochs, **settings)
    callbacks = training_callbacks(train_settings, checkpoints, run_folder)
    if kill is not None:
        kill(callbacks)
    epochs_seen = _Epochs()
    network = _network()
    batches = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(8, drop_remainder=True)
    data = TrainingData(
        source=cast(ExampleSource, None),
        transform_output=None,
        train=batches.repeat(),
        validate=batches,
        steps=2,
        class_weights=None,
    )
    until = {"epochs": checkpoints.epochs_to_run(epochs)}
    train_settings = train_settings.model_copy(update=until)
    training_loop.fit(network, data, train_settings, [epochs_seen, *callbacks])
    checkpoints.end()
    return network, epochs_seen.seen


def _killed_after(epoch: int) -> Callable[[list[keras.callbacks.Callback]], None]:
    return lambda callbacks: callbacks.append(_Kill(epoch))


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints")


# The history.


def test_there_is_no_history_before_the_first_epoch(checkpoints: CheckpointFolder) -> None:
    assert checkpoints.read_history() == []
    assert checkpoints.best("val_accuracy") is None


def test_an_epoch_that_ran_twice_is_told_once_and_as_it_ran_last(
    checkpoints: CheckpointFolder,
) -> None:
    checkpoints.history.write_text(
        _HEADER + "0,0.1,2.0,0.2,2.0\n1,0.3,1.0,0.4,1.0\n1,0.5,1.0,0.6,1.0\n2,0.7,0.5,0.5,0.5\n"
    )
    _network().save_weights(checkpoints.best_weights)
    history = checkpoints.read_history()
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert [row["val_accuracy"] for row in history] == [0.2, 0.6, 0.5]
    assert checkpoints.best("val_accuracy") == 0.6
    assert checkpoints.best("val_loss") == 0.5


@pytest.mark.parametrize("torn", ["", "epo", "2", "2,0.7,0.", "2,0.7,0.5,0.5,"])
def test_a_row_that_was_cut_short_is_left_out(checkpoints: CheckpointFolder, torn: str) -> None:
    whole = _HEADER + "0,0.1,2.0,0.2,2.0\n1,0.3,1.0,0.4,1.0\n"
    checkpoints.history.write_text(whole + torn)
    assert [row["epoch"] for row in checkpoints.read_history()] == [0, 1]


# The folder.


def _fn_args(**changed: Any) -> FnArgs:
    values: dict[str, Any] = {
        "train_files": ["/examples/3/Split-train/*"],
        "eval_files": ["/examples/3/Split-eval/*"],
        "transform_graph_path": "/transform/7",
        "custom_config": {"train": TrainSettings().model_dump_json(), "size": 48},
        "model_run_dir": "/trainer/8",
        "serving_model_dir": "/trainer/8/model",
    }
    return FnArgs(**(values | changed))


def _folder(root: Path, fn_args: FnArgs) -> Path:
    return CheckpointFolder.for_inputs(str(root), fn_args).history.parent


def test_a_retry_finds_the_folder_though_its_outputs_go_elsewhere(tmp_path: Path) -> None:
    retry = _fn_args(model_run_dir="/trainer/9", serving_model_dir="/trainer/9/model")
    folder = _folder(tmp_path, _fn_args())
    assert _folder(tmp_path, retry) == folder
    assert folder.is_dir()
    assert folder.is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"train_files": ["/examples/4/Split-train/*"]},
        {"eval_files": ["/examples/4/Split-eval/*"]},
        {"transform_graph_path": "/transform/9"},
        {"custom_config": {"train": TrainSettings(epochs=3).model_dump_json(), "size": 48}},
        {"custom_config": {"train": TrainSettings().model_dump_json(), "size": 64}},
        {"hyperparameters": {"space": [], "values": {"dropout": 0.2}}},
    ],
    ids=["train data", "eval data", "transform graph", "settings", "size", "found by a search"],
)
def test_another_training_has_another_folder(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert _folder(tmp_path, _fn_args(**changed)) != _folder(tmp_path, _fn_args())


def test_an_exported_training_is_forgotten(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder.for_inputs(str(tmp_path), _fn_args())
    checkpoints.history.write_text(_HEADER)
    checkpoints.remove()
    assert list(tmp_path.iterdir()) == []


# Going on after a kill.


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_killed_training_goes_on_at_the_next_epoch(
    checkpoints: CheckpointFolder, tmp_path: Path, loop: str
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_killed_after(0), loop=loop)
    _, epochs = _train(checkpoints, tmp_path / "second", loop=loop)
    assert epochs == [1, 2]
    assert [row["epoch"] for row in checkpoints.read_history()] == [0, 1, 2]


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_training_killed_after_its_last_epoch_is_not_trained_again(
    checkpoints: CheckpointFolder, tmp_path: Path, loop: str
) -> None:
    trained, _ = _train(checkpoints, tmp_path / "first", loop=loop)
    resumed, epochs = _train(checkpoints, tmp_path / "second", loop=loop)
    assert epochs == []
    for network in (trained, resumed):
        checkpoints.restore_best(network)
    for before, after in zip(trained.weights, resumed.weights, strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_resuming_ends_with_the_weights_of_a_training_that_was_never_killed(
    checkpoints: CheckpointFolder, tmp_path: Path, loop: str
) -> None:
    """Optimizer state included; the order of batches aside, which is fixed here."""
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", epochs=2, kill=_killed_after(0), loop=loop)
    resumed, _ = _train(checkpoints, tmp_path / "second", epochs=2, loop=loop)
    assert int(resumed.optimizer.iterations) == 4
    whole, _ = _train(CheckpointFolder(tmp_path / "whole"), tmp_path / "third", epochs=2, loop=loop)
    for one, other in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("position", range(1, 7))
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_kill_between_any_two_callbacks_leaves_a_training_that_goes_on(
    checkpoints: CheckpointFolder, tmp_path: Path, position: int, epoch: int
) -> None:
    def kill(callbacks: list[keras.callbacks.Callback]) -> None:
        callbacks.insert(position, _Kill(epoch))

    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", epochs=2, kill=kill)
    network, epochs = _train(checkpoints, tmp_path / "second", epochs=2)
    assert epochs in ([], [0, 1], [1])
    checkpoints.restore_best(network)
    assert [row["epoch"] for row in checkpoints.read_history()] == [0, 1]


@pytest.mark.parametrize("left", [0, 100])
def test_a_backup_that_was_cut_short_does_not_stop_the_next_run(
    checkpoints: CheckpointFolder, tmp_path: Path, left: int
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", epochs=3, kill=_killed_after(1))
    weights = checkpoints.backup / "latest.weights.h5"
    weights.write_bytes(weights.read_bytes()[:left])
    done = checkpoints.epochs_done()
    network, epochs = _train(checkpoints, tmp_path / "second", epochs=3)
    assert epochs == [done, *range(done + 1, 3)]
    checkpoints.restore_best(network)


def test_the_first_backup_cut_short_starts_the_training_over(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    checkpoints.backup.mkdir(parents=True)
    (checkpoints.backup / "latest.weights.h5").write_bytes(b"\x89HDF")
    assert checkpoints.epochs_done() == 0
    _, epochs = _train(checkpoints, tmp_path / "run", epochs=1)
    assert epochs == [0]


def test_a_resumed_training_does_not_take_worse_weights_for_the_best(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_killed_after(0))
    best = checkpoints.best_weights.read_bytes()
    checkpoints.history.write_text(_HEADER + "0,1.0,0.1,1.0,0.1\n")
    _train(checkpoints, tmp_path / "second")
    assert checkpoints.best_weights.read_bytes() == best


@pytest.mark.parametrize(("best_by", "kept"), [("val_accuracy", True), ("val_loss", False)])
def test_the_best_epoch_is_told_by_what_the_settings_name(
    checkpoints: CheckpointFolder, tmp_path: Path, best_by: str, kept: bool
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_killed_after(0))
    first = checkpoints.best_weights.read_bytes()
    checkpoints.history.write_text(_HEADER + "0,1.0,0.1,1.0,9.9\n")
    _train(checkpoints, tmp_path / "second", best_by=best_by)
    assert (checkpoints.best_weights.read_bytes() == first) == kept


class _Worse(keras.callbacks.Callback):
    """Tells the callbacks after it that every epoch is worse than the one before."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        logs |= {"val_loss": float(epoch), "val_accuracy": -float(epoch)}


def _worse_and_worse(callbacks: list[keras.callbacks.Callback]) -> None:
    callbacks.insert(0, _Worse())


def _worse_and_killed_after(epoch: int) -> Callable[[list[keras.callbacks.Callback]], None]:
    def change(callbacks: list[keras.callbacks.Callback]) -> None:
        _worse_and_worse(callbacks)
        callbacks.append(_Kill(epoch))

    return change


@pytest.mark.parametrize("loop", ["fit", "custom"])
def test_a_training_that_stopped_early_is_not_trained_on(
    checkpoints: CheckpointFolder, tmp_path: Path, loop: str
) -> None:
    waiting: dict[str, Any] = {"early_stopping_patience": 2, "loop": loop, "epochs": 9}
    _, epochs = _train(checkpoints, tmp_path / "first", kill=_worse_and_worse, **waiting)
    assert epochs == [0, 1, 2]
    _, epochs = _train(checkpoints, tmp_path / "second", kill=_worse_and_worse, **waiting)
    assert epochs == []


def test_a_kill_takes_nothing_from_the_patience(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    waiting: dict[str, Any] = {
        "epochs": 9,
        "early_stopping_patience": 4,
        "schedule": "plateau",
        "plateau_patience": 2,
    }
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_worse_and_killed_after(1), **waiting)
    network, epochs = _train(checkpoints, tmp_path / "second", kill=_worse_and_worse, **waiting)
    assert epochs == [2, 3, 4]
    # Halved after the third epoch and after the fifth, as without the kill.
    assert float(network.optimizer.learning_rate) == pytest.approx(1e-3 / 4)


def test_best_weights_that_were_cut_short_are_written_again(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_killed_after(0))
    weights = checkpoints.best_weights
    weights.write_bytes(weights.read_bytes()[:1000])
    checkpoints.history.write_text(_HEADER + "0,1.0,0.1,1.0,0.1\n")
    network, _ = _train(checkpoints, tmp_path / "second")
    checkpoints.restore_best(network)


@pytest.mark.parametrize("torn", ["", '{"epo'])
def test_a_torn_epoch_beside_whole_weights_does_not_stop_the_next_run(
    checkpoints: CheckpointFolder, tmp_path: Path, torn: str
) -> None:
    with pytest.raises(KilledError):
        _train(checkpoints, tmp_path / "first", kill=_killed_after(1))
    (checkpoints.backup / "training_metadata.json").write_text(torn)
    _, epochs = _train(checkpoints, tmp_path / "second")
    assert epochs == [1, 2]


def test_a_training_that_starts_over_leaves_its_other_files(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    _train(checkpoints.member(1), tmp_path / "second")
    _train(checkpoints, tmp_path / "first")
    checkpoints.start_over()
    assert checkpoints.epochs_done() == 0
    assert checkpoints.read_history() == []
    assert checkpoints.member(1).epochs_done() == 3
    _, epochs = _train(checkpoints, tmp_path / "first")
    assert epochs == [0, 1, 2]


# Which callbacks there are.


def _kinds(checkpoints: CheckpointFolder, run_folder: Path, **settings: Any) -> set[str]:
    callbacks = training_callbacks(TrainSettings(**settings), checkpoints, run_folder)
    return {kind.__name__ for callback in callbacks for kind in type(callback).__mro__}


def _judged(settings: TrainSettings, losses: list[float]) -> keras.Model:
    """A network whose callbacks are told these losses, epoch by epoch, until they stop it."""
    network = _network()
    network.stop_training = False
    told = keras.callbacks.CallbackList(judging_callbacks(settings), model=network)
    told.on_train_begin()
    for epoch, loss in enumerate(losses):
        told.on_epoch_end(epoch, {"val_loss": loss, "val_accuracy": -loss})
    return network


@pytest.mark.parametrize(("small_first", "waits"), [(0.0, False), (0.6, True)])
def test_early_stopping_and_plateau_wait_for_whole_images(small_first: float, waits: bool) -> None:
    settings = TrainSettings(
        epochs=10,
        small_first=small_first,
        early_stopping_patience=2,
        schedule="plateau",
        plateau_patience=2,
    )
    network = _judged(settings, [1.0, 2.0, 3.0, 4.0])
    assert network.stop_training != waits
    assert (float(network.optimizer.learning_rate) == pytest.approx(1e-3)) == waits
    assert _judged(settings, [1.0] * 9).stop_training


def test_early_stopping_and_plateau_follow_the_settings(
    checkpoints: CheckpointFolder, tmp_path: Path
) -> None:
    always = {"BackupAndRestore", "ModelCheckpoint", "CSVLogger", "TensorBoard"}
    plain = _kinds(checkpoints, tmp_path, early_stopping_patience=0, schedule="cosine")
    assert always <= plain
    assert not {"EarlyStopping", "ReduceLROnPlateau"} & plain
    both = _kinds(checkpoints, tmp_path, early_stopping_patience=2, schedule="plateau")
    assert {"EarlyStopping", "ReduceLROnPlateau"} <= both
