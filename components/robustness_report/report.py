"""What changes of the images cost, and which of it is more than the bound."""

from typing import ClassVar

from pydantic import BaseModel, Field

from components.stored_report import StoredReport

PICTURE_FILE = "robustness.png"


class PerturbedResult(BaseModel):
    """Accuracy on the same images, changed in one way at one strength."""

    perturbation: str
    strength: float
    setting: str = Field(description="the strength as people read it")
    accuracy: float = Field(ge=0.0, le=1.0)
    drop: float = Field(ge=-1.0, le=1.0, description="accuracy unchanged minus changed")
    margin: float = Field(
        ge=0.0, description="half the width of the drop's 95 % confidence interval"
    )


class RobustnessResults(StoredReport):
    """The findings; without results if nothing was measured."""

    FILE: ClassVar[str] = "robustness.json"
    WHAT: ClassVar[str] = "a robustness report"

    images: int = Field(default=0, ge=0, description="drawn from the eval split, labels known")
    accuracy: float | None = Field(default=None, description="on them, unchanged")
    max_drop: float = Field(default=1.0, ge=0.0, le=1.0, description="the bound")
    gate: bool = Field(default=False, description="whether a drop above the bound stops a push")
    results: list[PerturbedResult] = Field(default_factory=list)
    not_measured: str = Field(default="", description="why there are no results")

    @property
    def beyond(self) -> list[str]:
        """One sentence for each result above the bound; empty if all are within it."""
        return [
            f"{result.perturbation}: {result.setting} takes the accuracy from {self.accuracy:.4f} "
            f"to {result.accuracy:.4f}, {result.drop:.4f} down, where at most {self.max_drop:.4f} "
            "may be lost."
            for result in self.results
            if not self.holds(result)
        ]

    @property
    def missed(self) -> list[str]:
        """One sentence for each reason not to push; empty if there is none."""
        if self.not_measured:
            return [self.not_measured]
        return self.beyond if self.gate else []

    @property
    def worst(self) -> PerturbedResult | None:
        """The result with the largest drop."""
        return max(self.results, key=lambda result: result.drop, default=None)

    def by_perturbation(self) -> dict[str, list[PerturbedResult]]:
        """The results by kind of change, in their order."""
        found: dict[str, list[PerturbedResult]] = {}
        for result in self.results:
            found.setdefault(result.perturbation, []).append(result)
        return found

    def holds(self, result: PerturbedResult) -> bool:
        """Whether a result is within the bound."""
        # Accuracies are multiples of 1/images; their difference carries a rounding error.
        return result.drop <= self.max_drop + 1e-9
