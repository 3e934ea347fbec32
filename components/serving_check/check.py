"""Serves a candidate, questions it, and says whether it may be pushed."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.serving_check.questions import (
    MODEL_NAME,
    Answers,
    QuestionError,
    ask_over_grpc,
    ask_over_rest,
    refuses_what_is_no_image,
)
from components.serving_check.report import ServingReport
from pipeline.errors import UserError
from serving.process import ServerProcess

_MEBIBYTE = 2**20
_MEMORY_POLL_SECONDS = 0.05
# Base64 adds a third, and the rest of a request is small.
_REQUEST_PER_IMAGE = 2
# The largest that ImageExampleGen may be told to accept.
_MAX_IMAGE_PIXELS = 16_384**2
_TOLERANCE = 1e-4  # Kernels may add up in another order in another process.


@dataclass(frozen=True)
class Bounds:
    """What the served model must keep; see `ServingCheck`."""

    max_latency_ms: float
    max_memory_mb: int
    startup_timeout_s: float


def check(model_path: str, images: Sequence[bytes], bounds: Bounds) -> ServingReport:
    """Serves the SavedModel in its own process and questions it.

    Args:
        model_path: folder of the SavedModel.
        images: encoded images, at least one.
        bounds: what it must keep.

    Returns:
        The report; a model that crashes or hangs is a reason, not an error.
    """
    with tempfile.TemporaryDirectory(prefix="candidate-") as folder:
        shutil.copytree(model_path, Path(folder) / "1")
        flags = [
            f"--model_name={MODEL_NAME}",
            f"--model_base_path={folder}",
            "--max_num_load_retries=0",
            "--file_system_poll_wait_seconds=0",
            # What was ingested is asked about, however large: refusing it is not the model's fault.
            f"--max_request_bytes={_REQUEST_PER_IMAGE * max(map(len, images)) + _MEBIBYTE}",
            f"--max_image_pixels={_MAX_IMAGE_PIXELS}",
        ]
        try:
            server = ServerProcess(flags, bounds.startup_timeout_s)
        except UserError as error:
            return ServingReport(
                blessed=False, reasons=[f"The candidate could not be served: {_one_line(error)}"]
            )
        with server:
            return _question(server, model_path, images, bounds)


def _question(
    server: ServerProcess, model_path: str, images: Sequence[bytes], bounds: Bounds
) -> ServingReport:
    reasons: list[str] = []
    with _peak_memory(server) as peak:
        over_grpc = _ask(ask_over_grpc, server, server.grpc_port, images, reasons)
        over_rest = _ask(ask_over_rest, server, server.rest_port, images, reasons)
        if not reasons and not refuses_what_is_no_image(server.grpc_port):
            reasons.append(
                "The candidate does not refuse bytes that are no image."
                if server.is_running()
                else "The candidate crashed the server that was sent bytes that are no image."
            )
    report = ServingReport(blessed=False, images=len(images), peak_memory_mb=peak() / _MEBIBYTE)
    if report.peak_memory_mb and report.peak_memory_mb > bounds.max_memory_mb:
        reasons.append(
            f"The served candidate held {report.peak_memory_mb:.0f} MiB of memory; the limit is "
            f"{bounds.max_memory_mb} MiB."
        )
    # In-process last: a model that crashes its process has only crashed the server's so far.
    own = _own_answers(model_path, images) if over_grpc and over_rest else None
    for protocol, answers in (("gRPC", over_grpc), ("REST", over_rest)):
        if answers and own is not None:
            reasons += _judge(protocol, answers, own, bounds, report)
    return report.model_copy(update={"blessed": not reasons, "reasons": reasons})


def _ask(
    ask: Callable[[int, Sequence[bytes]], Answers],
    server: ServerProcess,
    port: int,
    images: Sequence[bytes],
    reasons: list[str],
) -> Answers | None:
    if reasons:
        return None
    try:
        return ask(port, images)
    except QuestionError as error:
        if server.is_running():
            reasons.append(f"The served candidate did not answer an image: {_one_line(error)}")
        else:
            reasons.append("The candidate crashed the server that was asked about an image.")
        return None


def _own_answers(model_path: str, images: Sequence[bytes]) -> tuple[np.ndarray, list[str]]:
    # As the server does, and not in a GPU's TF32.
    with tf.device("/CPU:0"):
        signature = tf.saved_model.load(model_path).signatures["serving_default"]
        answers = [signature(image_bytes=tf.constant([image])) for image in images]
    probabilities = np.concatenate([answer["probabilities"].numpy() for answer in answers])
    return probabilities, [answer["label"].numpy()[0].decode() for answer in answers]


def _judge(
    protocol: str,
    answers: Answers,
    own: tuple[np.ndarray, list[str]],
    bounds: Bounds,
    report: ServingReport,
) -> Iterator[str]:
    p50, p95 = (float(np.percentile(answers.milliseconds, share)) for share in (50, 95))
    setattr(report, f"{protocol.lower()}_p50_ms", p50)
    setattr(report, f"{protocol.lower()}_p95_ms", p95)
    if p95 > bounds.max_latency_ms:
        yield (
            f"Over {protocol} the 95th percentile of one image is {p95:.1f} ms; the limit is "
            f"{bounds.max_latency_ms:g} ms."
        )
    if not np.isfinite(answers.probabilities).all():
        yield f"Over {protocol} the candidate answers NaN or infinity."
        return
    difference = float(np.abs(answers.probabilities - own[0]).max())
    report.largest_difference = max(difference, report.largest_difference or 0.0)
    if difference > _TOLERANCE:
        yield (
            f"Over {protocol} a probability differs by {difference:.2g} from the model's own "
            "answer."
        )
    elif answers.labels != own[1]:
        yield f"Over {protocol} a label differs from the model's own answer."


@contextmanager
def _peak_memory(server: ServerProcess) -> Iterator[Callable[[], int]]:
    peak = [server.resident_bytes()]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_MEMORY_POLL_SECONDS):
            peak[0] = max(peak[0], server.resident_bytes())

    thread = threading.Thread(target=watch, name="serving-check-memory", daemon=True)
    thread.start()
    try:
        yield lambda: peak[0]
    finally:
        ended.set()
        thread.join()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
