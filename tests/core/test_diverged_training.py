"""A training whose loss is no longer a number."""

from pathlib import Path

import pytest

from pipeline import config
from pipeline.errors import UserError
from tests.core.training_run import SMALL, Silent, train

_GROWING = [
    "train.optimizer=sgd",
    "train.learning_rate=10",
    "train.schedule=constant",
    # The step overshoots every kernel's own penalty, and by more each time.
    "train.l2=0.1",
    "train.filters=[8]",
    "train.epochs=40",
    "train.early_stopping_patience=0",
    "train.weight_average=0.9",
]


def test_nothing_is_exported_or_kept_and_the_setting_to_change_is_named(tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, *_GROWING])
    with pytest.raises(UserError, match=r"diverged: in epoch \d+ .* train\.learning_rate, 10,"):
        train(settings, tmp_path, Silent())
    # The next run starts over, and not from weights that are no numbers.
    assert not list(tmp_path.rglob("latest.weights.h5"))
