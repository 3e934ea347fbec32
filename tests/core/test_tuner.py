"""The search: what may be searched, and that what it finds is what is trained with."""

import json
from pathlib import Path
from typing import Any

import keras_tuner
import pytest

from components.image_example_gen.source import resolve_source
from pipeline import config, lineage, runner, search_space
from pipeline.config import Search, TrainSettings
from pipeline.drawn_sample import draw_archive
from pipeline.errors import UserError
from pipeline.pipeline import create_pipeline
from pipeline.train_record import read_train_settings
from pipeline.workspace import Workspace

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
        ("filters={choices=[[1, 2, 3, 4, 5, 6]]}", r"tuner.search.filters can't be \[1, 2"),
        ("epochs={min=1, max=9}", "tuner.search.epochs can't be searched"),
        ("validation_fraction={min=0.1, max=0.2}", "can't be searched"),
        ("momentum={min=0.1, max=0.2}", "tuner.search.momentum is no setting of train"),
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


class _Silent:
    def on_nodes(self, node_ids: list[str]) -> None:
        assert node_ids[-2:] == ["Tuner", "Trainer"]

    def on_start(self, node_id: str) -> None: ...

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None: ...

    def on_failure(self, node_id: str, seconds: float) -> None: ...


@pytest.mark.parametrize("algorithm", ["random"])
def test_the_best_settings_of_a_search_are_those_of_the_training(
    tmp_path: Path, algorithm: str
) -> None:
    archive = tmp_path / "drawn.zip"
    draw_archive(archive, train_per_class=16, eval_per_class=4, seed=0, size=16)
    settings = config.load(
        assignments=[
            _ON,
            f"tuner.algorithm={algorithm}",
            "tuner.max_trials=2",
            "tuner.epochs=1",
            "tuner.search.learning_rate={min=1e-4, max=1e-2, scale='log'}",
            "tuner.search.filters={choices=[[4], [4, 8]]}",
            "tuner.search.augment.rotate={min=11, max=20}",
            "image.size=16",
            "train.epochs=1",
            "train.batch_size=16",
            "train.jit_compile=false",
            "train.validation_fraction=0.3",
            "validate.skew=1",
        ]
    )
    workspace = Workspace(tmp_path / "workspace")
    for folder in (workspace.root, workspace.pipeline_root):
        folder.mkdir(parents=True, exist_ok=True)
    pipeline = create_pipeline(settings, workspace, resolve_source(str(archive)))
    run_id = runner.run(pipeline, _Silent(), last_node="Trainer")

    outputs = lineage.run_outputs(workspace.metadata_db, run_id)
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
    assert list(workspace.checkpoints.iterdir()) == []
