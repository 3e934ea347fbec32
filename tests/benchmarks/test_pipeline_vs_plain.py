"""The pipeline beside a plain script: both are to train alike."""

import pytest

from benchmarks.pipeline_vs_plain import AS_PLAIN
from pipeline import config
from pipeline.config import TrainSettings

_FOLLOWED = {
    *("epochs", "batch_size", "seed", "validation_fraction", "cache", "precision", "jit_compile"),
    *("filters", "stem_stride", "convolutions", "residual_blocks", "squeeze_excite", "activation"),
    *("dropout", "l2", "optimizer", "learning_rate", "weight_decay", "warmup_epochs"),
    *("final_rate", "label_smoothing", "augment"),
}
"""Settings of training that the plain script goes by."""

_FREE = {"best_by"}
"""Settings that cost no time."""


@pytest.mark.parametrize("profile", [None, "fer2013", "sample"])
def test_the_pipeline_trains_by_no_setting_that_the_plain_script_does_not_know(
    profile: str | None,
) -> None:
    train = config.load(profile, None, AS_PLAIN).train
    plain = TrainSettings(early_stopping_patience=0, calibrate=False)
    unknown = set(TrainSettings.model_fields) - _FOLLOWED - _FREE
    assert {name: getattr(train, name) for name in unknown} == {
        name: getattr(plain, name) for name in unknown
    }
    assert train.augment.mixup == 0
