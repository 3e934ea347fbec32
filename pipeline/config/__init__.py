"""Every setting of the pipeline: one typed model, documented where it is declared.

A setting is named `section.key` on the command line (`--set train.epochs=20`), in a TOML file
(`[train]`, `epochs = 20`) and in error messages. Values come, later over earlier, from the defaults
in this package's modules, a profile in `pipeline/profiles/`, a `--config` file, and `--set`.
"""

from pipeline.config.data import DataSettings, ImageSettings, SampleSettings, ValidateSettings
from pipeline.config.gates import (
    EdgeSettings,
    EvaluateSettings,
    InferSettings,
    PushSettings,
    RobustnessSettings,
    ServingCheckSettings,
)
from pipeline.config.runners import AirflowSettings, KubeflowSettings, Resources, RunSettings
from pipeline.config.section import Section
from pipeline.config.settings import (
    PROFILES,
    REPOSITORY,
    Settings,
    as_dict,
    load,
    names,
    profiles,
)
from pipeline.config.train import AugmentSettings, BestBy, OwnTeacherSettings, TrainSettings
from pipeline.config.tuner import Search, TunerSettings

__all__ = [
    "PROFILES",
    "REPOSITORY",
    "AirflowSettings",
    "AugmentSettings",
    "BestBy",
    "DataSettings",
    "EdgeSettings",
    "EvaluateSettings",
    "ImageSettings",
    "InferSettings",
    "KubeflowSettings",
    "OwnTeacherSettings",
    "PushSettings",
    "Resources",
    "RobustnessSettings",
    "RunSettings",
    "SampleSettings",
    "Search",
    "Section",
    "ServingCheckSettings",
    "Settings",
    "TrainSettings",
    "TunerSettings",
    "ValidateSettings",
    "as_dict",
    "load",
    "names",
    "profiles",
]
