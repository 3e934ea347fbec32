"""Result of a serving check, as a file beside its blessing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict, Field

from components.stored_report import StoredReport

NOT_BLESSED_MODEL = "The model is not blessed, so it was not served."


class ServingReport(StoredReport):
    """What was found; latencies are in milliseconds, memory in MiB.

    Attributes:
        blessed: whether the model may be pushed.
        reasons: a sentence for each reason why not.
        images: how many images were sent over each protocol.
        grpc_p50_ms, grpc_p95_ms, rest_p50_ms, rest_p95_ms: latency of one image.
        peak_memory_mb: most memory the server held.
        largest_difference: of a served probability from the model's own.
    """

    model_config = ConfigDict(extra="forbid")

    FILE: ClassVar[str] = "serving_check.json"
    WHAT: ClassVar[str] = "a serving check"

    blessed: bool
    reasons: list[str] = Field(default_factory=list)
    images: int = 0
    grpc_p50_ms: float | None = None
    grpc_p95_ms: float | None = None
    rest_p50_ms: float | None = None
    rest_p95_ms: float | None = None
    peak_memory_mb: float | None = None
    largest_difference: float | None = None
