"""Settings of the network, of its training and of who teaches it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Fraction, Section

BestBy = Literal["val_accuracy", "val_loss"]
_Blocks = Annotated[int, Field(ge=0, le=4)]
ResidualBlocks = _Blocks | Annotated[list[_Blocks], Field(min_length=1, max_length=6)]


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
