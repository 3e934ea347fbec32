"""All sections in one model, and how it is made of a profile, a file and assignments."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from pipeline import setting_fields
from pipeline.config.data import DataSettings, ImageSettings, SampleSettings, ValidateSettings
from pipeline.config.gates import (
    EdgeSettings,
    EvaluateSettings,
    InferSettings,
    PushSettings,
    RobustnessSettings,
    ServingCheckSettings,
)
from pipeline.config.runners import AirflowSettings, KubeflowSettings, RunSettings
from pipeline.config.section import Section
from pipeline.config.train import TrainSettings
from pipeline.config.tuner import TunerSettings
from pipeline.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = REPOSITORY / "pipeline" / "profiles"


class Settings(Section):
    """All settings, by section."""

    data: DataSettings = Field(default_factory=DataSettings)
    sample: SampleSettings = Field(default_factory=SampleSettings)
    validate_: ValidateSettings = Field(default_factory=ValidateSettings, alias="validate")
    image: ImageSettings = Field(default_factory=ImageSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    tuner: TunerSettings = Field(default_factory=TunerSettings)
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    edge: EdgeSettings = Field(default_factory=EdgeSettings)
    robustness: RobustnessSettings = Field(default_factory=RobustnessSettings)
    serving_check: ServingCheckSettings = Field(default_factory=ServingCheckSettings)
    push: PushSettings = Field(default_factory=PushSettings)
    infer: InferSettings = Field(default_factory=InferSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    kubeflow: KubeflowSettings = Field(default_factory=KubeflowSettings)
    airflow: AirflowSettings = Field(default_factory=AirflowSettings)

    @model_validator(mode="after")
    def _stages_fit_the_image(self) -> "Settings":
        train = self.train
        for name, network in (("filters", train), ("own_teacher.filters", train.of_own_teacher())):
            smallest = network.smallest_size(self.image.size)
            stages = len(network.filters)
            if smallest >> (stages - 1 + (network.stem_stride == 2)) < 1:
                raise ValueError(
                    f"train.{name} has {stages} stages, too many for an image of "
                    f"{smallest} pixels; drop some stages"
                )
        return self

    @model_validator(mode="after")
    def _searched_values_fit(self) -> "Settings":
        if not self.tuner.enabled:
            return self
        for name, searched in self.tuner.search.items():
            if problem := self.train.why_not_searched(name):
                raise ValueError(f"tuner.search.{name} can't be searched: {problem}")
            for value in searched.ends():
                try:
                    train = self.train.with_values({name: value})
                    Settings.model_validate({"image": self.image, "train": train})
                except ValidationError as error:
                    reason = setting_fields.first_reason(error, TrainSettings)
                    raise ValueError(f"tuner.search.{name} can't be {value!r}: {reason}") from None
        return self


def load(
    profile: str | None = None,
    config_file: Path | None = None,
    assignments: Iterable[str] = (),
) -> Settings:
    """Builds the settings of a run.

    Args:
      profile: Name of a TOML file in `pipeline/profiles/`, or none for the defaults.
      config_file: TOML file with a table for each section.
      assignments: `section.key=value` strings; a value is read as TOML, or as text if it is not.

    Raises:
      UserError: A file that can't be read, an unknown setting, or a value that does not fit.
    """
    # Aliases are added to the defaults; any other value replaces its default.
    data = DataSettings()
    values: dict[str, Any] = {
        "data": {
            "class_aliases": dict(data.class_aliases),
            "split_aliases": dict(data.split_aliases),
        }
    }
    if profile is not None:
        _merge(values, _read_toml(_profile_path(profile)))
    if config_file is not None:
        _merge(values, _read_toml(config_file))
    for assignment in assignments:
        _merge(values, _parse_assignment(assignment))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(setting_fields.sentences(error, Settings))) from None


def as_dict(settings: Settings) -> dict[str, Any]:
    """All settings as plain values, by the names that users write."""
    return settings.model_dump(mode="json", by_alias=True)


def names() -> dict[str, Any]:
    """Maps every `section.key` to its pydantic field, nested sections included."""
    return setting_fields.by_name(Settings)


def profiles() -> list[str]:
    """Names of the profiles, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def _profile_path(profile: str) -> Path:
    if profile not in profiles():
        raise UserError(f"There is no profile {profile!r}; choose one of {', '.join(profiles())}.")
    return PROFILES / f"{profile}.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The settings file {path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"The settings file {path} is not valid TOML: {error}.") from None


def _parse_assignment(assignment: str) -> dict[str, Any]:
    name, equals, text = assignment.partition("=")
    keys = name.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise UserError(f"--set {assignment!r} is not of the form section.key=value.")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):  # Not TOML, or nested or long beyond what Python reads.
        value = text.strip()
    nested: dict[str, Any] = {keys[-1]: value}
    for key in reversed(keys[:-1]):
        nested = {key: nested}
    return nested


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif isinstance(value, Mapping):
            target[key] = dict(value)
        else:
            target[key] = value
