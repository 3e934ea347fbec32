"""Every setting of the pipeline: one typed model, documented where it is declared.

A setting is named `section.key` on the command line (`--set train.epochs=20`), in a TOML file
(`[train]`, `epochs = 20`) and in error messages. Values come, later over earlier, from the defaults
below, a profile in `pipeline/profiles/`, a `--config` file, and `--set`.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline import airflow_schedule, metadata_address, setting_fields
from pipeline.errors import UserError

PROFILES = Path(__file__).parent / "profiles"
REPOSITORY = Path(__file__).resolve().parent.parent

_CPU = r"^([1-9]\d*|\d+\.\d+|[1-9]\d*m)$"
_MEMORY = r"^[1-9]\d*(Mi|Gi|Ti|M|G|T)$"

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
BestBy = Literal["val_accuracy", "val_loss"]
_Blocks = Annotated[int, Field(ge=0, le=4)]
ResidualBlocks = _Blocks | Annotated[list[_Blocks], Field(min_length=1, max_length=6)]


class Section(BaseModel):
    """A group of settings; an unknown key or a value out of range is an error."""

    # JSON, in which settings are passed on, knows no infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class AugmentSettings(Section):
    """Random changes to train images; each is off at zero."""

    flip: bool = Field(True, description="Mirror half of the images.")
    rotate: float = Field(10.0, ge=0.0, le=180.0, description="Largest rotation, in degrees.")
    shift: float = Field(0.08, ge=0.0, le=0.5, description="Largest shift, as a share of the side.")
    zoom: float = Field(0.1, ge=0.0, lt=1.0, description="Largest change of scale, as a share.")
    brightness: float = Field(
        0.2, ge=0.0, le=3.0, description="Largest shift of brightness, in standard deviations."
    )
    contrast: float = Field(0.2, ge=0.0, lt=1.0, description="Largest change of contrast.")
    erase: float = Field(
        0.0, ge=0.0, le=0.5, description="Largest erased square, as a share of the side."
    )
    mixup: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="Blend pairs of images and their labels; alpha of the Beta distribution that "
        "the shares are drawn from.",
    )


class OwnTeacherSettings(Section):
    """A network that is trained first, on the same data, and teaches the one that is exported.

    Furlanello et al., 2018, "Born Again Neural Networks": beside labels that people disagree about,
    a student does better than its teacher. What has no default is as in the section train.
    """

    epochs: int = Field(0, ge=0, le=1000, description="Its epochs; 0 leaves it out.")
    filters: list[Annotated[int, Field(ge=1, le=4096)]] | None = Field(
        None, min_length=1, max_length=6, description="In place of train.filters."
    )
    stem_stride: Literal[1, 2] | None = Field(None, description="In place of train.stem_stride.")
    convolutions: int | None = Field(
        None, ge=1, le=4, description="In place of train.convolutions."
    )
    residual_blocks: ResidualBlocks | None = Field(
        None, description="In place of train.residual_blocks."
    )
    members: int | None = Field(None, ge=1, le=16, description="In place of train.members.")
    small_first: Fraction | None = Field(None, description="In place of train.small_first.")
    mixup: float | None = Field(
        None, ge=0.0, le=10.0, description="In place of train.augment.mixup."
    )


class TrainSettings(Section):
    """The network and how it is trained."""

    epochs: int = Field(
        30, ge=1, le=1000, description="Most epochs; early stopping may end sooner."
    )
    batch_size: int = Field(128, ge=1, le=8192, description="Images a step, over all devices.")
    seed: int = Field(
        1, ge=0, lt=2**31, description="Seed of weights, shuffling, augmentation and dropout."
    )
    members: int = Field(
        1,
        ge=1,
        le=16,
        description="Networks to train one after another, each from the next seed; the mean of "
        "their logits is exported, as one model.",
    )
    device_members: int | None = Field(
        None,
        ge=1,
        description="Most of them, the first ones, that TFLite models are made of; none is all.",
    )
    small_first: Fraction = Field(
        0.0,
        description="Share of the epochs, the first ones, whose images are shrunk to two thirds of "
        "their side: about half the time a step.",
    )
    loop: Literal["fit", "custom"] = Field(
        "fit",
        description="custom is a loop written out in pipeline/training_loop.py, with the same "
        "losses, for those who need a hand on every step.",
    )
    filters: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [32, 64, 128, 256],
        min_length=1,
        max_length=6,
        description="Channels of each stage; each stage after the first halves the side.",
    )
    stem_stride: Literal[1, 2] = Field(
        2, description="Stride of the first convolution; 2 is about four times as fast."
    )
    convolutions: int = Field(2, ge=1, le=4, description="3x3 convolutions a stage.")
    residual_blocks: ResidualBlocks = Field(
        0,
        description="Blocks of two convolutions and a shortcut that end a stage, 0 to 4; one "
        "number, or a list of one for each stage.",
    )
    squeeze_excite: int = Field(
        0,
        ge=0,
        le=64,
        description="What a residual block's channels are divided by in its squeeze-excite gate; "
        "0 is without gates.",
    )
    activation: Literal["relu", "elu", "gelu", "silu"] = Field(
        "relu", description="Activation after each batch normalization."
    )
    dropout: float = Field(0.3, ge=0.0, lt=1.0, description="Dropout before the logits.")
    l2: float = Field(1e-4, ge=0.0, le=0.1, description="L2 penalty of convolution kernels.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        "adam", description="adamw decays weights by train.weight_decay; sgd is Nesterov, 0.9."
    )
    learning_rate: float = Field(1e-3, gt=0.0, le=10.0, description="Peak learning rate.")
    weight_decay: float = Field(1e-4, ge=0.0, le=1.0, description="For adamw alone.")
    schedule: Literal["constant", "cosine", "exponential", "plateau"] = Field(
        "cosine", description="How the learning rate falls; plateau is ReduceLROnPlateau."
    )
    warmup_epochs: float = Field(
        0.5, ge=0.0, le=50.0, description="Linear warm-up of cosine, in epochs."
    )
    final_rate: Fraction = Field(
        0.0,
        description="Share of the learning rate that cosine falls to; with train.weight_average, "
        "a rate that still moves the weights.",
    )
    weight_average: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Momentum, step by step, of a running mean of the weights, which is exported "
        "in place of the best epoch; 0.999 is about the last thousand steps, and a training of "
        "less than three times as many is too short for it; 0 is without.",
    )
    plateau_patience: int = Field(
        3, ge=1, description="Epochs without a better val_loss before the rate is halved."
    )
    validation_fraction: float = Field(
        0.1,
        gt=0.0,
        lt=0.5,
        description="Share of the train split that early stopping and checkpoints are judged on; "
        "the eval split is left to the Evaluator.",
    )
    best_by: BestBy = Field(
        "val_accuracy",
        description="What tells the best epoch, which is exported; val_loss wobbles less from "
        "epoch to epoch, where the validation part is small.",
    )
    early_stopping_patience: int = Field(
        10, ge=0, description="Epochs without a better train.best_by before the end; 0 never."
    )
    label_smoothing: float = Field(0.05, ge=0.0, lt=1.0, description="Share moved off the label.")
    teacher: str | None = Field(
        None,
        description="Pushed SavedModel or TFLite models (the int8 one is asked) to learn from "
        "beside the labels: a version's folder, or the folder of versions, whose newest is taken. "
        "An empty text is none.",
    )
    taught_epochs: int = Field(
        0,
        ge=0,
        le=1000,
        description="Epochs of augmented images about which a teacher, if there is one, is asked "
        "before the training; then they come again, mirrored by chance, from the disk (2.3 KB an "
        "image at 48x48). 0 asks at every step, and so does a search.",
    )
    own_teacher: OwnTeacherSettings = Field(
        default_factory=OwnTeacherSettings,
        description="Network to train first and to learn from, in place of train.teacher.",
    )
    distillation_weight: Fraction = Field(
        0.7,
        description="Share of the teacher's probabilities in the target; the rest is the label.",
    )
    distillation_temperature: float = Field(
        1.0,
        ge=1.0,
        le=20.0,
        description="What the teacher's logits are divided by: higher is softer; 1 for an int8 "
        "teacher.",
    )
    class_weights: bool = Field(
        False, description="Weight the loss of a class by the inverse of its share."
    )
    precision: Literal["auto", "float16", "bfloat16", "float32"] = Field(
        "auto",
        description="What the network computes with. auto is bfloat16 on GPUs from Ampere on, and "
        "without XLA (train.jit_compile) on CPUs with AMX and AMD's with AVX512-BF16; float16 on "
        "other GPUs; float32 on other CPUs, where half precision is slow. The exported model has "
        "float32.",
    )
    jit_compile: bool = Field(True, description="Compile the step with XLA.")
    cache: Literal["memory", "none"] = Field(
        "memory", description="Keep decoded images in memory (9 KB each at 48x48) between epochs."
    )
    calibrate: bool = Field(
        True,
        description="Fit a temperature to the validation part and fold it into the logits, so that "
        "probabilities are as high as the model is right.",
    )
    flip_average: bool = Field(
        False,
        description="Export the mean of the logits of an image and of its mirror: a little more "
        "accurate, twice the work.",
    )
    zoom_average: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="Export the mean of the logits of an image and of the same nearer and farther "
        "by this share of its side: a little more accurate, three times the work.",
    )
    augment: AugmentSettings = Field(
        default_factory=AugmentSettings, description="Augmentation inside the input pipeline."
    )

    @field_validator("teacher")
    @classmethod
    def _none_if_empty(cls, teacher: str | None) -> str | None:
        return teacher or None

    @model_validator(mode="after")
    def _one_teacher(self) -> "TrainSettings":
        if self.teacher is not None and self.own_teacher.epochs:
            raise ValueError(
                "train.teacher and train.own_teacher.epochs each ask for a teacher; "
                "set train.own_teacher.epochs=0 to learn from train.teacher, or train.teacher='' "
                "to learn from its own"
            )
        return self

    @model_validator(mode="after")
    def _blocks_of_each_stage(self) -> "TrainSettings":
        trained = {"train": self}
        if self.own_teacher.epochs:
            trained["train.own_teacher"] = self.of_own_teacher()
        for name, settings in trained.items():
            if len(settings.blocks) != len(settings.filters):
                raise ValueError(
                    f"{name}.residual_blocks is for {len(settings.blocks)} stages and "
                    f"{name}.filters for {len(settings.filters)}; give one number for each stage, "
                    "or one for all"
                )
        return self

    @property
    def blocks(self) -> list[int]:
        """Residual blocks of each stage."""
        blocks = self.residual_blocks
        return blocks if isinstance(blocks, list) else [blocks] * len(self.filters)

    @property
    def small_epochs(self) -> int:
        """How many of the epochs, the first ones, are of small images."""
        return round(self.small_first * self.epochs)

    @property
    def fewest_epochs(self) -> int:
        """Epochs that run at least, since it takes those for early stopping to end a training."""
        patience = self.early_stopping_patience
        return min(self.epochs, self.small_epochs + patience + 1) if patience else self.epochs

    def smallest_size(self, size: int) -> int:
        """Side of the smallest train images, in pixels, where whole ones have `size`."""
        return size * 2 // 3 if self.small_first else size

    def why_not_searched(self, name: str) -> str | None:
        """Why trials with other values of a setting would not tell which is better, if so."""
        if name.startswith("distillation_") and self.teacher is None:
            return "no trial has a teacher, for train.teacher is not set"
        if name == "final_rate" and self.weight_average:
            return "trials are judged by the weights themselves, not by train.weight_average's mean"
        return None

    def with_values(self, values: Mapping[str, Any]) -> "TrainSettings":
        """These settings with others by name, such as `augment.rotate`.

        Raises:
          ValidationError: A value does not fit.
        """
        changed: dict[str, Any] = self.model_dump()
        for name, value in values.items():
            section = changed
            *outer, key = name.split(".")
            for part in outer:
                section = section[part]
            section[key] = value
        return TrainSettings.model_validate(changed)

    def of_member(self, index: int) -> "TrainSettings":
        """The settings that one of the members, counted from 0, is trained with."""
        return self.model_copy(update={"seed": self.seed + index, "members": 1})

    def of_own_teacher(self) -> "TrainSettings":
        """The settings that its teacher is trained with."""
        own = self.own_teacher.model_dump(exclude_none=True)
        augment = self.augment.model_copy(update={"mixup": own.pop("mixup", self.augment.mixup)})
        update = {**own, "augment": augment, "own_teacher": OwnTeacherSettings()}
        # No device asks it, and nobody teaches it.
        update |= {"device_members": None, "taught_epochs": 0}
        # Augmentation mirrors and zooms what it is asked about by chance: epochs average over the
        # views, each of which would be asked about at every step.
        update |= {"flip_average": False, "zoom_average": 0.0}
        return self.model_copy(update=update)


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


class EvaluateSettings(Section):
    """The gate: what a model must reach to be pushed."""

    accuracy: Fraction = Field(0.55, description="Least accuracy on the eval split.")
    accuracy_change: float = Field(
        -0.01,
        ge=-1.0,
        le=1.0,
        description="Least change of accuracy against the latest blessed model.",
    )
    class_recall: Fraction = Field(0.1, description="Least recall of every class.")


class EdgeSettings(Section):
    """The TFLite model for devices."""

    representative_images: int = Field(
        300, ge=10, le=10_000, description="Train images that set the ranges of the int8 model."
    )
    max_accuracy_drop: Fraction = Field(
        0.01, description="Most accuracy that int8 may lose against the SavedModel."
    )


class RobustnessSettings(Section):
    """What changed images may cost."""

    images: int = Field(
        1000,
        ge=0,
        le=20_000,
        description="Images of the eval split, drawn at random, that are asked about with changed "
        "light, sharpness and framing; 0 leaves the report out.",
    )
    max_drop: Fraction = Field(
        0.25, description="Most accuracy that a change may cost before the run says so."
    )
    gate: bool = Field(False, description="Push no model that loses more than robustness.max_drop.")


class ServingCheckSettings(Section):
    """Whether the candidate can be served, tried before it is pushed."""

    server: Literal["embedded", "docker", "off"] = Field(
        "embedded",
        description="docker asks TensorFlow Serving itself, through TFX's InfraValidator.",
    )
    images: int = Field(
        64, ge=1, le=10_000, description="Images of the eval split asked over gRPC and over REST."
    )
    max_latency_ms: float = Field(
        250.0, gt=0.0, description="Longest 95th percentile of one image, in milliseconds."
    )
    max_memory_mb: int = Field(2048, ge=64, description="Most memory the server may hold, in MiB.")
    startup_timeout_s: float = Field(
        120.0, gt=0.0, description="Longest time to load the model, in seconds."
    )


class PushSettings(Section):
    """Where blessed models go."""

    keep_versions: int = Field(3, ge=1, le=1000, description="Newest versions kept of each model.")


class InferSettings(Section):
    """Bulk inference on images without labels."""

    data: str | None = Field(
        None, description="Folder or zip of images to label with the blessed model; none skips it."
    )


class RunSettings(Section):
    """How the pipeline is executed."""

    cache: bool = Field(
        True, description="Reuse results whose inputs, settings and code are the same."
    )
    metadata: str = Field(
        "sqlite",
        description="Where ML Metadata is kept: sqlite, a file in the workspace, or a MySQL or "
        "MariaDB server that several tasks may write to at once, "
        "`mysql://user:$VARIABLE@host:3306/database`, with the password in the environment "
        "variable `VARIABLE`.",
    )
    beam_args: list[str] = Field(
        [
            "--runner=FnApiRunner",
            "--direct_running_mode=in_memory",
            "--sdk_container_image=none",
        ],
        description="Beam pipeline options of the data components.",
    )

    @field_validator("metadata")
    @classmethod
    def _address_of_metadata(cls, value: str) -> str:
        metadata_address.parse(value)
        return value


class Resources(Section):
    """What a component asks of the cluster, where that is not what the others ask."""

    cpu: str | None = Field(None, pattern=_CPU)
    memory: str | None = Field(None, pattern=_MEMORY)
    gpus: int = Field(0, ge=0, le=16)


class KubeflowSettings(Section):
    """How the pipeline runs on Kubeflow Pipelines."""

    image: str = Field(
        "expression-pipeline:latest",
        pattern=r"^\S+$",
        description="Image that every component runs in, as containers/Dockerfile builds it.",
    )
    pipeline_root: str | None = Field(
        None,
        pattern=r"^(minio|s3|gs)://[^/\s]+(/\S*)?$",
        description="Object store folder for artifacts, such as s3://bucket/expression; none takes "
        "the cluster's own.",
    )
    workspace: str = Field(
        "/workspace",
        pattern=r"^/\S*[^/\s]$",
        description="Where components see the shared volume: data, checkpoints, pushed models.",
    )
    workspace_claim: str = Field(
        "expression-workspace",
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        description="PersistentVolumeClaim behind that volume.",
    )
    cpu: str = Field(
        "2", pattern=_CPU, description="CPUs of a component, as Kubernetes writes them."
    )
    memory: str = Field(
        "4Gi", pattern=_MEMORY, description="Memory of a component, as Kubernetes writes it."
    )
    resources: dict[str, Resources] = Field(
        {},
        description="Other `cpu`, `memory` and `gpus` by component, as in "
        "`kubeflow.resources.Trainer.gpus=1`.",
    )
    gpu_type: str = Field(
        "nvidia.com/gpu", pattern=r"^\S+$", description="The cluster's name for a GPU."
    )
    retries: int = Field(
        2, ge=0, le=100, description="How often a component that failed is tried again."
    )
    secrets: dict[str, Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]] = Field(
        {},
        description="Environment variables of every component that come out of Kubernetes secrets, "
        "as `name/key`.",
    )


class AirflowSettings(Section):
    """How Airflow runs the pipeline; other runners leave it alone."""

    schedule: str = Field(
        "@daily",
        description="When a run starts by the clock, in UTC: five cron fields, or `@daily` and the "
        "like; an empty text for never.",
    )
    watch: bool = Field(
        True, description="Start a run when another archive, or a new span, lands at the data path."
    )
    not_blessed: Literal["fail", "skip"] = Field(
        "fail",
        description="How a run ends whose model is not pushed: failed, or with its report skipped.",
    )
    retries: int = Field(
        2,
        ge=0,
        le=100,
        description="More tries of a component that failed or was killed; mistakes "
        "of the user's, anomalies and models that are not blessed are not tried again.",
    )
    retry_delay_s: float = Field(60.0, ge=0.0, description="Seconds before another try.")
    timeout_min: float = Field(
        720.0, gt=0.0, description="Longest time of one try of one component, in minutes."
    )
    pool: str = Field(
        "default_pool",
        min_length=1,
        description="Airflow pool that the components take their slots from; must be there.",
    )

    @field_validator("schedule")
    @classmethod
    def _cron_of_schedule(cls, value: str) -> str:
        return airflow_schedule.parse(value)


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
