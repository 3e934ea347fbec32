"""Result of a serving check, as a file beside its blessing."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

REPORT_FILE = "serving_check.json"
NOT_BLESSED_MODEL = "The model is not blessed, so it was not served."


class ServingReport(BaseModel):
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

    blessed: bool
    reasons: list[str] = []
    images: int = 0
    grpc_p50_ms: float | None = None
    grpc_p95_ms: float | None = None
    rest_p50_ms: float | None = None
    rest_p95_ms: float | None = None
    peak_memory_mb: float | None = None
    largest_difference: float | None = None


def write_report(folder: str, report: ServingReport) -> None:
    """Writes a report into the folder of a blessing."""
    path = Path(folder) / REPORT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def read_report(folder: str) -> ServingReport:
    """Reads the report in the folder of a blessing.

    Raises:
        FileNotFoundError: there is none.
    """
    return ServingReport.model_validate_json((Path(folder) / REPORT_FILE).read_bytes())
