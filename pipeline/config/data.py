"""Settings of what comes in: the images, the drawn sample, and the checks before training."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.section import Fraction, Section


class DataSettings(Section):
    """What is read, and which of it is accepted."""

    name: str = Field(
        "expression",
        pattern=r"^[a-z][a-z0-9_-]{0,62}$",
        description="Name of the pushed model, and of its folders under serving/ and edge/.",
    )
    class_aliases: dict[str, str] = Field(
        {
            "anger": "angry",
            "disgusted": "disgust",
            "fearful": "fear",
            "happiness": "happy",
            "natural": "neutral",
            "sadness": "sad",
            "surprised": "surprise",
        },
        description="Folder names that mean another class, after case-folding; yours are added.",
    )
    split_aliases: dict[str, Literal["train", "eval"]] = Field(
        {
            "train": "train",
            "training": "train",
            "test": "eval",
            "testing": "eval",
            "val": "eval",
            "valid": "eval",
            "validation": "eval",
            "eval": "eval",
            "publictest": "eval",
            "privatetest": "eval",
        },
        description="Split that a folder, or a Usage in fer2013.csv, belongs to; yours are added.",
    )
    eval_fraction: float = Field(
        0.1, gt=0.0, lt=1.0, description="Share of images held out when the data name no split."
    )
    span: int = Field(
        -1,
        ge=-1,
        lt=2**31,
        description="Span to read of a data path with {SPAN}; -1 is the newest.",
    )
    min_side: int = Field(16, ge=1, description="Smallest accepted height and width, in pixels.")
    max_side: int = Field(
        4096, ge=16, le=16384, description="Largest accepted height and width, in pixels."
    )
    min_stddev: float = Field(
        4.0,
        ge=0.0,
        description="Least standard deviation of an image's grey values, which go from 0 to 255.",
    )
    max_file_megabytes: int = Field(
        20, ge=1, le=1024, description="Largest file accepted, after decompression."
    )
    max_total_megabytes: int = Field(
        20_000, ge=1, description="Largest archive accepted, after decompression."
    )

    @model_validator(mode="after")
    def _some_side_is_accepted(self) -> "DataSettings":
        if self.min_side > self.max_side:
            raise ValueError(
                f"data.min_side is {self.min_side}, above data.max_side, {self.max_side}"
            )
        return self


class SampleSettings(Section):
    """The drawn sample that stands in when no data is given."""

    train_per_class: int = Field(400, ge=8, le=20_000, description="Drawn train images a class.")
    eval_per_class: int = Field(100, ge=4, le=5_000, description="Drawn eval images a class.")
    seed: int = Field(0, ge=0, description="Seed of every drawing.")


class ValidateSettings(Section):
    """What stops a run before training."""

    pin_schema: bool = Field(
        False,
        description="Hold the data to the classes of schema/schema.pbtxt; else they follow the "
        "data when the data hold others.",
    )
    min_examples_per_class: int = Field(
        2, ge=1, description="Fewest examples of each class in each split."
    )
    drift: Fraction = Field(
        0.1, description="Largest L-infinity distance of class shares to the last validated run."
    )
    skew: Fraction = Field(
        0.1, description="Largest L-infinity distance of class shares between train and eval."
    )


class ImageSettings(Section):
    """The image as the model sees it."""

    size: int = Field(48, ge=16, le=512, description="Height and width in pixels, grey.")
