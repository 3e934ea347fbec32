"""A training whose teacher is trained first, by the same run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import config, lineage, metadata_store, runner, training_loop
from pipeline.config import AugmentSettings, TrainSettings
from pipeline.drawn_sample import draw_archive
from pipeline.errors import UserError
from pipeline.pipeline import create_pipeline
from pipeline.train_record import read_train_settings
from pipeline.workspace import Workspace

# What it is trained with.


def test_it_is_trained_as_the_network_is_but_for_what_is_set() -> None:
    network = TrainSettings.model_validate(
        {"epochs": 9, "own_teacher": {"epochs": 3, "filters": [8, 16], "mixup": 0.0}}
        | {"augment": {"mixup": 0.2, "rotate": 5.0}}
    )
    assert network.of_own_teacher() == TrainSettings(
        epochs=3, filters=[8, 16], augment=AugmentSettings(mixup=0.0, rotate=5.0)
    )


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["train.teacher=elsewhere", "train.own_teacher.epochs=3"], "train.own_teacher.epochs=0"),
        (["train.own_teacher.filters=[8, 8, 8, 8, 8]", "image.size=16"], "drop some stages"),
        (["train.own_teacher.epochs=-1"], "train.own_teacher.epochs"),
    ],
)
def test_what_does_not_fit_is_said_before_the_run(assignments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        config.load(assignments=assignments)


# The training, through the components of a run.


class _Silent:
    def on_nodes(self, node_ids: list[str]) -> None: ...

    def on_start(self, node_id: str) -> None: ...

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None: ...

    def on_failure(self, node_id: str, seconds: float) -> None: ...

    def on_stop(self, node_id: str, seconds: float) -> None: ...


class KilledError(Exception):
    """Stands for kill -9."""


@pytest.fixture
def run(tmp_path: Path) -> Callable[[], Path]:
    """Runs the pipeline up to the Trainer; gives the folder of its reports."""
    archive = tmp_path / "drawn.zip"
    draw_archive(archive, train_per_class=16, eval_per_class=4, seed=0, size=16)
    settings = config.load(
        assignments=[
            "image.size=16",
            "train.epochs=1",
            "train.filters=[4]",
            "train.batch_size=16",
            "train.jit_compile=false",
            "train.validation_fraction=0.3",
            "train.own_teacher.epochs=2",
            "train.own_teacher.filters=[4, 8]",
            "validate.skew=1",
        ]
    )
    workspace = Workspace(tmp_path / "workspace")
    for folder in (workspace.root, workspace.pipeline_root):
        folder.mkdir(parents=True, exist_ok=True)

    def run() -> Path:
        pipeline = create_pipeline(settings, workspace, str(archive))
        run_id = runner.run(pipeline, _Silent(), last_node="Trainer")
        outputs = lineage.run_outputs(metadata_store.sqlite(workspace), run_id)
        assert list(workspace.checkpoints.iterdir()) == []
        return Path(outputs["Trainer", "model_run"].uri)

    return run


def test_the_teacher_is_trained_once_and_then_teaches(
    run: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[TrainSettings] = []
    fit = training_loop.fit

    def killed_in_the_second(network: Any, data: Any, settings: TrainSettings, **more: Any) -> Any:
        trained.append(settings)
        if len(trained) == 2:
            raise KilledError
        return fit(network, data, settings, **more)

    monkeypatch.setattr(training_loop, "fit", killed_in_the_second)
    with pytest.raises(KilledError):
        run()
    reports = run()

    assert [(settings.epochs, settings.filters) for settings in trained] == [
        (2, [4, 8]),
        (1, [4]),
        (1, [4]),
    ]
    teachers = [settings.teacher for settings in trained]
    assert teachers[0] is None
    assert teachers[1] == teachers[2] is not None
    used = read_train_settings(reports)
    assert (used["teacher"], used["own_teacher"]["epochs"]) == (None, 2)
