"""The settings that a search may change, and how what it found is laid over the others."""

import json
from collections.abc import Mapping
from typing import Any

import keras_tuner
from pydantic import ValidationError

from pipeline import setting_fields
from pipeline.config import Search, TrainSettings
from pipeline.errors import UserError

_OF_HYPERBAND = "tuner/"


def declare(search: Mapping[str, Search]) -> keras_tuner.HyperParameters:
    """The search space as Keras Tuner takes it.

    Args:
      search: Range or choices by the name of a train setting, as `TunerSettings` has them checked.
    """
    space = keras_tuner.HyperParameters()
    fields = setting_fields.by_name(TrainSettings)
    for name, searched in search.items():
        if searched.choices is not None:
            space.Choice(name, [_plain(value) for value in searched.choices])
            continue
        whole = fields[name].annotation is int
        number: type = int if whole else float
        (space.Int if whole else space.Float)(
            name,
            min_value=number(searched.min),
            max_value=number(searched.max),
            step=None if searched.step is None else number(searched.step),
            sampling=searched.scale,
        )
    return space


def overlay(settings: TrainSettings, config: Mapping[str, Any] | None) -> TrainSettings:
    """The settings with the values of a search.

    Args:
      settings: Those of the run.
      config: Of `keras_tuner.HyperParameters`, as TFX's Tuner writes it; none changes nothing.

    Raises:
      UserError: A value names no train setting, or does not fit it.
    """
    if not config:
        return settings
    fields = setting_fields.by_name(TrainSettings)
    values = {}
    for name, value in config["values"].items():
        if name.startswith(_OF_HYPERBAND):
            continue
        if name not in fields:
            raise UserError(f"The hyperparameters name train.{name}, which is no setting.")
        values[name] = _from_plain(value)
    try:
        return settings.with_values(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"The hyperparameters set train.{where} to {first['input']!r}: {first['msg']}."
        ) from None


def _plain(value: Any) -> Any:
    """Keras Tuner chooses among numbers and texts alone."""
    return json.dumps(value) if isinstance(value, list) else value


def _from_plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value
