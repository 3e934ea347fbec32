"""Settings of what a trained model must show before it is pushed, and of where it goes."""

from typing import Literal

from pydantic import Field

from pipeline.config.section import Fraction, Section


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
        description="docker asks TensorFlow Serving itself, through TFX's InfraValidator, which "
        "takes any answer over gRPC, in any time and memory.",
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
