"""Settings of the search for better ones."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline import setting_fields
from pipeline.config.section import Section
from pipeline.config.train import OwnTeacherSettings, TrainSettings


class Search(Section):
    """Where the tuner looks for a setting: among choices, or from `min` to `max`."""

    choices: list[Any] | None = Field(None, min_length=1)
    min: float | None = None
    max: float | None = None
    step: float | None = Field(None, gt=0.0)
    scale: Literal["linear", "log"] = "linear"

    def problem(self) -> str | None:
        """What is wrong with it, if anything is."""
        if self.choices is not None:
            if self.min is not None or self.max is not None:
                return "has choices, or min and max, not both"
            if len({type(choice) for choice in self.choices}) > 1:
                return f"has choices that are not of one type, {self.choices}"
        elif self.min is None or self.max is None:
            return "needs choices, or min and max"
        elif self.min >= self.max:
            return f"has the min {self.min:g}, which is not below its max, {self.max:g}"
        elif self.scale == "log" and self.min <= 0.0:
            return f"has a log scale, which needs a min above 0, not {self.min:g}"
        elif self.scale == "log" and self.step is not None and self.step <= 1.0:
            return f"has a log scale, whose step is a factor above 1, not {self.step:g}"
        return None

    def ends(self) -> list[Any]:
        """All choices, or both ends of the range."""
        return self.choices if self.choices is not None else [self.min, self.max]


# They decide how long a trial takes or what it is judged on, or leave the result alone.
_NOT_SEARCHED = frozenset(
    {
        *("epochs", "seed", "validation_fraction", "best_by", "early_stopping_patience"),
        *("loop", "precision", "jit_compile", "cache", "calibrate", "teacher", "taught_epochs"),
        *("members", "device_members", "flip_average", "zoom_average", "weight_average"),
        *(f"own_teacher.{name}" for name in OwnTeacherSettings.model_fields),
    }
)


class TunerSettings(Section):
    """A search for better train settings, before the training."""

    enabled: bool = Field(
        False, description="Search, and train with what was best on the validation part."
    )
    algorithm: Literal["random", "bayesian", "hyperband"] = Field(
        "bayesian", description="How the next trial's values are chosen."
    )
    max_trials: int = Field(
        20,
        ge=1,
        le=1000,
        description="Most trials; those of hyperband follow from tuner.epochs, and may be fewer.",
    )
    epochs: int = Field(
        8, ge=1, le=1000, description="Epochs of a trial; with hyperband those of the longest."
    )
    search: dict[str, Search] = Field(
        {
            "learning_rate": Search(min=3e-4, max=1e-2, scale="log"),
            "dropout": Search(min=0.0, max=0.6),
            "label_smoothing": Search(min=0.0, max=0.2),
            "optimizer": Search(choices=["adam", "adamw", "sgd"]),
        },
        min_length=1,
        description="Range (`min`, `max`, perhaps `step` and `scale`) or `choices` by train "
        "setting; yours replace these.",
    )

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, values: Any) -> Any:
        """Takes `augment.rotate` nested too, as `--set` and TOML tables give it."""
        if not isinstance(values, dict) or not isinstance(values.get("search"), dict):
            return values
        flat: dict[str, Any] = {}
        for name, value in values["search"].items():
            nested = isinstance(value, dict) and not value.keys() & Search.model_fields.keys()
            flat |= {f"{name}.{key}": v for key, v in value.items()} if nested else {name: value}
        return values | {"search": flat}

    @model_validator(mode="after")
    def _names_are_of_train_settings(self) -> "TunerSettings":
        known = setting_fields.by_name(TrainSettings)
        for name, searched in self.search.items():
            if name not in known or name in _NOT_SEARCHED:
                why = "can't be searched" if name in known else "is no setting of train"
                raise ValueError(f"tuner.search.{name} {why}")
            if problem := searched.problem():
                raise ValueError(f"tuner.search.{name} {problem}")
            number = known[name].annotation in (int, float)
            if searched.choices is None and not number:
                raise ValueError(f"tuner.search.{name} is not a number; give it choices")
            if known[name].annotation is int and not float(searched.step or 1).is_integer():
                raise ValueError(
                    f"tuner.search.{name} has the step {searched.step:g}, where the setting is a "
                    "whole number"
                )
        return self
