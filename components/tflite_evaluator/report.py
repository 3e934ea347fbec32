"""What the edge gate measured, and what it makes of it."""

from typing import ClassVar

from pydantic import BaseModel, Field

from components.stored_report import StoredReport


class TFLiteResult(BaseModel):
    """One TFLite model on the examples of the eval split."""

    accuracy: float = Field(ge=0.0, le=1.0)
    agreement: float = Field(
        ge=0.0, le=1.0, description="share of examples with the SavedModel's likeliest class"
    )
    max_probability_difference: float = Field(
        ge=0.0,
        le=1.0,
        description="largest distance of a probability to that of what was converted; 1 if one of "
        "them is no number",
    )
    bytes: int = Field(ge=1, description="size of the file")
    milliseconds_per_image: float = Field(
        ge=0.0, description="median of single images on one core, XNNPACK"
    )


class EdgeReport(StoredReport):
    """The edge gate's findings; without results if nothing was converted."""

    FILE: ClassVar[str] = "edge_evaluation.json"
    WHAT: ClassVar[str] = "an edge evaluation"

    examples: int = Field(default=0, ge=0, description="evaluated: those with a known label")
    unknown_labels: int = Field(default=0, ge=0, description="examples left out for their label")
    saved_model_accuracy: float | None = None
    float32: TFLiteResult | None = None
    int8: TFLiteResult | None = None
    missed: list[str] = Field(
        default_factory=list, description="a sentence for each reason not to bless; empty if none"
    )

    @property
    def blessed(self) -> bool:
        """Whether the int8 model may be pushed."""
        return not self.missed

    def metrics(self) -> dict[str, float]:
        """Returns the numbers, flat, as a manifest records them."""
        found = {}
        if self.saved_model_accuracy is not None:
            found["saved_model_accuracy"] = self.saved_model_accuracy
        for name, result in (("float32", self.float32), ("int8", self.int8)):
            if result:
                found |= {f"{name}_{key}": float(v) for key, v in result.model_dump().items()}
        return found


def missed_thresholds(
    report: EdgeReport, max_accuracy_drop: float, max_probability_difference: float
) -> list[str]:
    """Says why an edge model is not blessed.

    Args:
        report: the measured results.
        max_accuracy_drop: most accuracy, in [0, 1], that int8 may lose against the SavedModel.
        max_probability_difference: largest distance of a probability of float32 to that of the
            SavedModel's signature that was converted; more means that the conversion computes
            something else.

    Returns:
        One sentence for each missed threshold; empty if the model passes.
    """
    if not report.examples or not (report.float32 and report.int8):
        return ["The eval split has no example with a label that the model knows."]
    missed = []
    if report.float32.max_probability_difference > max_probability_difference:
        missed.append(
            "The float32 TFLite model's probabilities differ from the SavedModel's by up to "
            f"{report.float32.max_probability_difference:.2g},"
            f" more than {max_probability_difference:.2g}."
        )
    drop = (report.saved_model_accuracy or 0.0) - report.int8.accuracy
    # Accuracies are multiples of 1/examples; their difference carries a rounding error.
    if drop > max_accuracy_drop + 1e-9:
        missed.append(
            f"The int8 TFLite model's accuracy is {report.int8.accuracy:.4f},"
            f" {drop:.4f} under the SavedModel's {report.saved_model_accuracy:.4f},"
            f" where at most {max_accuracy_drop:.4f} may be lost."
        )
    return missed
