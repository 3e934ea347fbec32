"""A request nobody waits for any more is not computed, and a run under way is stopped."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from serving.deadline import Deadline
from serving.errors import ServingError, StatusCode
from serving.inference import Inference
from serving.process import ServerProcess
from serving.servable import LoadOptions, Servable
from tests.serving import countdown
from tests.serving.clients import DEADLINE_SECONDS, Target
from tests.serving.conftest import MODEL, model_config, target_of
from tests.serving.tiny_model import png

IMAGE = {"image_bytes": np.array([png(0)], dtype=object)}


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return countdown.export(tmp_path_factory.mktemp("endless") / MODEL)


@pytest.fixture(scope="module")
def servable(model_root: Path) -> Iterator[Servable]:
    loaded = Servable(MODEL, 1, str(model_root / "1"), LoadOptions())
    yield loaded
    loaded.retire()


@pytest.mark.parametrize(
    ("deadline", "code"),
    [
        (Deadline.after(0.0), StatusCode.DEADLINE_EXCEEDED),
        (Deadline(is_waiting=lambda: False), StatusCode.CANCELLED),
    ],
)
def test_a_request_nobody_waits_for_is_not_computed(
    servable: Servable, deadline: Deadline, code: StatusCode
) -> None:
    inference = Inference()
    signature = servable.signatures["serving_default"]
    with pytest.raises(ServingError) as caught:
        inference.run(servable, signature, IMAGE, "Predict", deadline)
    assert caught.value.code == code
    assert b"runtime_latency_count{" not in inference.metrics.page()


def test_a_deadline_that_has_not_passed_changes_nothing(servable: Servable) -> None:
    assert Deadline.after(None).seconds_left() == math.inf
    signature = servable.signatures["serving_default"]
    # The first run goes through TensorFlow's pool, the next ones stay on this thread.
    answers = [signature.run(IMAGE, seconds) for seconds in (math.inf, 60.0, math.inf)]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer["probabilities"], answers[0]["probabilities"])


@pytest.mark.parametrize("answered_before", [False, True])
def test_a_run_is_stopped_at_the_deadline(endless: Path, answered_before: bool) -> None:
    servable = Servable(MODEL, 1, str(endless / "1"), LoadOptions())
    signature = servable.signatures["serving_default"]
    if answered_before:
        assert signature.run({"x": np.zeros(1, np.float32)})["y"].tolist() == [0.0]
    # A single instance that follows an answered one runs where it cannot be stopped.
    instances = 2 if answered_before else 1
    with pytest.raises(ServingError) as caught:
        signature.run({"x": np.full(instances, np.inf, np.float32)}, 0.1)
    assert caught.value.code == StatusCode.DEADLINE_EXCEEDED
    servable.retire()


def test_the_limit_of_the_server_holds_without_a_deadline(endless: Path) -> None:
    servable = Servable(MODEL, 1, str(endless / "1"), LoadOptions(timeout_ms=100))
    with pytest.raises(ServingError) as caught:
        servable.signatures["serving_default"].run({"x": np.full(1, np.inf, np.float32)})
    assert caught.value.code == StatusCode.DEADLINE_EXCEEDED
    servable.retire()


def test_a_server_gives_up_with_its_client_and_still_stops(endless: Path, tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text(model_config(endless))
    (tmp_path / "monitoring.config").write_text("prometheus_config { enable: true }")
    flags = [
        f"--model_config_file={tmp_path / 'models.config'}",
        f"--monitoring_config_file={tmp_path / 'monitoring.config'}",
    ]
    with ServerProcess(flags) as process:
        target = target_of(process)
        with pytest.raises(grpc.RpcError) as caught:
            target.prediction.Predict(countdown.request(math.inf), 0.5)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await_metric(
            target, f'request_count{{model_name="{MODEL}",status="DEADLINE_EXCEEDED"}} 1.0'
        )
        assert process.stop() == 0


def await_metric(target: Target, line: str) -> None:
    deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
    deadline.start()
    page = ""
    while deadline.is_alive() and line not in page:
        page = target.get("/monitoring/prometheus/metrics").text
    deadline.cancel()
    assert line in page
