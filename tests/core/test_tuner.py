"""The search: what may be searched, and that what it finds is what is trained with."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import keras_tuner
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline import config, search_space, tuner
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import Search, TrainSettings, TunerSettings
from pipeline.errors import UserError
from pipeline.train_record import read_train_settings
from tests.core.training_run import SMALL, Silent, train

_ON = "tuner.enabled=true"


def _searched(*assignments: str) -> dict[str, Search]:
    return config.load(assignments=[_ON, *assignments]).tuner.search


# What may be searched.


def test_a_nested_setting_is_searched_by_its_name() -> None:
    assert _searched("tuner.search.augment.rotate={min=0, max=20}") == {
        "augment.rotate": Search(min=0, max=20)
    }


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("dropout={min=0.1, max=1.5}", "tuner.search.dropout can't be 1.5"),
        ("dropout={min=0.5, max=0.1}", "tuner.search.dropout has the min 0.5"),
        ("dropout={min=0.5}", "tuner.search.dropout needs choices, or min and max"),
        ("dropout={min=0, max=0.1, scale='log'}", "a min above 0"),
        ("dropout={choices=[0.1], max=0.2}", "not both"),
        ("batch_size={choices=[16, 'many']}", "not of one type"),
        ("optimizer={min=1, max=2}", "tuner.search.optimizer is not a number"),
        ("optimizer={choices=['adam', 'lion']}", "tuner.search.optimizer can't be 'lion'"),
        ("filters={choices=[[1, 2, 3, 4, 5, 6]]}", r"6\]: train.filters has 6 stages, too many"),
        ("residual_blocks={choices=['x']}", "can't be 'x': input should be a valid integer.*list"),
        ("epochs={min=1, max=9}", "tuner.search.epochs can't be searched"),
        ("validation_fraction={min=0.1, max=0.2}", "can't be searched"),
        ("members={min=1, max=4}", "can't be searched"),
        ("device_members={choices=[1, 2]}", "can't be searched"),
        ("momentum={min=0.1, max=0.2}", "tuner.search.momentum is no setting of train"),
        ("batch_size={min=32, max=128, step=0.5}", "the step 0.5, where the setting is a whole"),
        ("dropout={min=0.1, max=0.2, step=inf}", "finite"),
        ("learning_rate={min=1e-4, max=1e-2, step=1e-3, scale='log'}", "a factor above 1"),
        ("distillation_weight={min=0.1, max=0.9}", "train.teacher is not set"),
    ],
)
def test_what_cannot_be_searched_is_said_before_the_run(assignment: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as error:
        _searched("image.size=16", f"tuner.search.{assignment}")
    assert "\n" not in str(error.value)


# From the search space to settings and back.


def test_every_value_that_can_be_drawn_is_one_that_train_takes() -> None:
    space = search_space.declare(
        _searched(
            "tuner.search.learning_rate={min=1e-4, max=1e-2, scale='log'}",
            "tuner.search.batch_size={min=16, max=64, step=16}",
            "tuner.search.filters={choices=[[8, 16], [16, 32, 64]]}",
            "tuner.search.class_weights={choices=[true, false]}",
            "tuner.search.augment.erase={min=0, max=0.5}",
        )
    )
    oracle = keras_tuner.oracles.RandomSearchOracle("val_accuracy", 20, hyperparameters=space)
    drawn = set()
    for trial in range(20):
        space.values = oracle.populate_space(str(trial))["values"]
        settings = search_space.overlay(TrainSettings(), space.get_config())
        drawn.add(tuple(settings.filters))
        assert settings.batch_size in {16, 32, 48, 64}
        assert 1e-4 <= settings.learning_rate <= 1e-2
        assert settings.augment.rotate == TrainSettings().augment.rotate
    assert drawn == {(8, 16), (16, 32, 64)}


def test_lists_are_chosen_among_also_where_one_number_would_do() -> None:
    blocks = "tuner.search.residual_blocks={choices=[[0, 1, 1, 1], [1, 1, 1, 1]]}"
    space = search_space.declare(_searched(blocks))
    settings = search_space.overlay(TrainSettings(), space.get_config())
    assert settings.residual_blocks == [0, 1, 1, 1]


def test_the_rate_for_a_mean_of_weights_is_not_searched_by_the_weights() -> None:
    with pytest.raises(UserError, match=r"judged by the weights themselves"):
        _searched("train.weight_average=0.99", "tuner.search.final_rate={min=0.0, max=0.5}")


def test_what_hyperband_notes_for_itself_is_no_setting() -> None:
    values = {"dropout": 0.2, "tuner/epochs": 3, "tuner/bracket": 1}
    settings = search_space.overlay(TrainSettings(), {"values": values})
    assert settings == TrainSettings(dropout=0.2)


def test_no_search_changes_nothing() -> None:
    assert search_space.overlay(TrainSettings(), None) == TrainSettings()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"dropout": 2.0}, "train.dropout to 2.0"), ({"momentum": 1}, "train.momentum, which is no")],
)
def test_hyperparameters_that_do_not_fit_are_a_mistake(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        search_space.overlay(TrainSettings(), {"values": values})


# A search, through the components of a run.


class _BeforeTheTrainer(Silent):
    def on_nodes(self, node_ids: list[str]) -> None:
        assert node_ids[-2:] == ["Tuner", "Trainer"]


def test_the_best_settings_of_a_search_are_those_of_the_training(tmp_path: Path) -> None:
    settings = config.load(
        assignments=[
            *SMALL,
            _ON,
            "tuner.algorithm=random",
            "tuner.max_trials=2",
            "tuner.epochs=1",
            "tuner.search.learning_rate={min=1e-4, max=1e-2, scale='log'}",
            "tuner.search.filters={choices=[[4], [4, 8]]}",
            "tuner.search.augment.rotate={min=11, max=20}",
        ]
    )
    outputs = train(settings, tmp_path, _BeforeTheTrainer())

    (results,) = Path(outputs["Tuner", "tuner_results"].uri).iterdir()
    trials = json.loads(results.read_text())
    assert len(trials) == 2
    best = max(trials, key=lambda trial: trial["score"])
    assert 0.0 <= best["score"] <= 1.0

    used = read_train_settings(Path(outputs["Trainer", "model_run"].uri))
    assert used["learning_rate"] == best["learning_rate"]
    assert used["filters"] == json.loads(best["filters"])
    assert used["augment"]["rotate"] == best["augment.rotate"] > 10.0
    assert used["epochs"] == 1


# Going on after a kill. What a trial trains is the test above's; here it only counts.


class _Counting(tuner.SettingsTuner):
    killed_at: ClassVar[int | None] = None
    ran: ClassVar[list[str]] = []

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        if len(self.ran) == self.killed_at:
            raise KeyboardInterrupt
        self.ran.append(trial.trial_id)
        return {"val_accuracy": trial.hyperparameters.get("dropout")}


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Makes the tuner of a process; each of them finds what the one before left."""
    settings = TunerSettings(
        algorithm="random", max_trials=4, search={"dropout": Search(min=0, max=0.9)}
    )
    monkeypatch.setattr(tuner, "SettingsTuner", _Counting)
    monkeypatch.setattr(_Counting, "ran", [])
    monkeypatch.setattr(_Counting, "killed_at", None)
    folder = tmp_path / "checkpoints"
    yield lambda: tuner._resumed(FnArgs(), TrainSettings(), settings, CheckpointFolder(folder))


def test_a_killed_search_goes_on_at_its_trial(
    search: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Counting, "killed_at", 2)
    with pytest.raises(KeyboardInterrupt):
        search().search(verbose=0)
    monkeypatch.setattr(_Counting, "killed_at", None)
    second = search()
    second.search(verbose=0)
    assert sorted(_Counting.ran) == ["0", "1", "2", "3"]
    scores = [trial.score for trial in second.oracle.get_best_trials(4)]
    assert len(scores) == 4
    assert second.get_best_hyperparameters()[0].get("dropout") == max(scores)


def test_a_search_whose_files_a_kill_cut_short_starts_over(
    search: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_Counting, "killed_at", 2)
    with pytest.raises(KeyboardInterrupt):
        search().search(verbose=0)
    monkeypatch.setattr(_Counting, "killed_at", None)
    (state,) = (tmp_path / "checkpoints").rglob("oracle.json")
    state.write_text(state.read_text()[:50])
    search().search(verbose=0)
    assert _Counting.ran == ["0", "1", "0", "1", "2", "3"]


def test_a_search_of_which_nothing_comes_is_a_failure(
    search: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise keras_tuner.errors.FailedTrialError("not today")

    monkeypatch.setattr(_Counting, "run_trial", fail)
    with pytest.raises(UserError, match=r"failed in a row.*not today"):
        search().search(verbose=0)
