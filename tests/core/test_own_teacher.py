"""A training whose teacher is trained first, by the same run."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import config, training_loop
from pipeline.config import AugmentSettings, TrainSettings
from pipeline.errors import UserError
from pipeline.train_record import read_train_settings
from tests.core.training_run import SMALL, Silent, train

# What it is trained with.


def test_it_is_trained_as_the_network_is_but_for_what_is_set_and_answers_about_one_view() -> None:
    network = TrainSettings.model_validate(
        {
            "epochs": 9,
            "flip_average": True,
            "own_teacher": {"epochs": 3, "filters": [8, 16], "stem_stride": 1, "mixup": 0.0},
        }
        | {"augment": {"mixup": 0.2, "rotate": 5.0}}
    )
    assert network.of_own_teacher() == TrainSettings(
        epochs=3,
        filters=[8, 16],
        stem_stride=1,
        augment=AugmentSettings(mixup=0.0, rotate=5.0),
    )


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["train.teacher=elsewhere", "train.own_teacher.epochs=3"], "train.own_teacher.epochs=0"),
        (["train.own_teacher.filters=[8, 8, 8, 8, 8]", "image.size=16"], "drop some stages"),
        (
            [
                "image.size=16",
                "train.own_teacher.filters=[8, 8, 8, 8]",
                "train.own_teacher.stem_stride=2",
                "train.own_teacher.small_first=0.5",
            ],
            "too many for an image of 10 pixels",
        ),
        (["train.own_teacher.epochs=-1"], "train.own_teacher.epochs"),
        (
            [
                "train.residual_blocks=[1, 1, 1, 1]",
                "train.own_teacher.epochs=1",
                "train.own_teacher.filters=[8]",
            ],
            "train.own_teacher.residual_blocks is for 4 stages",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_the_run(assignments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        config.load(assignments=assignments)


# The training, through the components of a run.


class KilledError(Exception):
    """Stands for kill -9."""


def test_the_teacher_is_trained_once_and_asked_once_for_all_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ["epochs=2", "filters=[4, 8]", "members=1"]
    more = [
        *(f"train.own_teacher.{setting}" for setting in own),
        "train.small_first=0.5",
        "train.precision=float32",
        "train.taught_epochs=1",
    ]
    settings = config.load(assignments=[*SMALL, "train.filters=[4]", "train.members=2", *more])
    trained: list[TrainSettings] = []
    kept: list[list[str]] = []
    fit = training_loop.fit

    def killed_in_the_second(network: Any, data: Any, settings: TrainSettings, **more: Any) -> Any:
        trained.append(settings)
        kept.append(sorted(path.name for path in tmp_path.rglob("taught/*")))
        if len(trained) == 2:
            raise KilledError
        return fit(network, data, settings, **more)

    monkeypatch.setattr(training_loop, "fit", killed_in_the_second)
    with pytest.raises(KilledError):
        train(settings, tmp_path, Silent())
    outputs = train(settings, tmp_path, Silent())

    assert [(settings.epochs, settings.filters) for settings in trained] == [
        (2, [4, 8]),
        (1, [4]),
        (1, [4]),
        (1, [4]),
    ]
    assert kept == [[], ["epoch1"], ["epoch1"], ["epoch1"]]
    assert not list(tmp_path.rglob("taught"))
    teachers = [settings.teacher for settings in trained]
    assert teachers[0] is None
    assert teachers[1] == teachers[2] == teachers[3] is not None
    used = read_train_settings(Path(outputs["Trainer", "model_run"].uri))
    assert (used["teacher"], used["own_teacher"]["epochs"]) == (None, 2)
