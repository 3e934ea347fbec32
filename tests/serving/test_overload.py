"""More requests than the server takes at once are refused, and it goes on with the others."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from serving.process import ServerProcess
from tests.serving import countdown
from tests.serving.clients import DEADLINE_SECONDS, Target
from tests.serving.conftest import MODEL, target_of

BATCHING = """
max_batch_size { value: 2 } batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1 } num_batch_threads { value: 1 } allowed_batch_sizes: 2
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return countdown.export(tmp_path_factory.mktemp("overload") / MODEL)


@pytest.fixture(scope="module")
def narrow(root: Path) -> Iterator[Target]:
    """A server that takes one request at a time, for four seconds at most."""
    flags = [f"--model_name={MODEL}", f"--model_base_path={root}"]
    flags += ["--max_concurrent_requests=1", "--rest_api_timeout_in_ms=4000"]
    with ServerProcess(flags) as process:
        yield target_of(process)


def outcomes_beside_an_endless_one(ask: Callable[[float], str], ended: str) -> set[str]:
    """What short requests are told until an endless one, which is let in, has `ended`."""
    done = threading.Event()

    def hold() -> None:
        while ask(math.inf) != ended:
            pass
        done.set()

    told = set()
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        while not done.is_set() and not held.done():
            told.add(ask(0.0))
        held.result()
    return told


def test_requests_at_once_are_bounded_over_grpc(narrow: Target) -> None:
    def ask(steps: float) -> str:
        try:
            narrow.predict(countdown.request(steps))
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    told = outcomes_beside_an_endless_one(ask, "DEADLINE_EXCEEDED")
    assert "RESOURCE_EXHAUSTED" in told
    assert ask(0.0) == "OK"


def test_requests_at_once_are_bounded_over_rest(narrow: Target) -> None:
    def ask(steps: float) -> str:
        value = "Infinity" if math.isinf(steps) else f"{steps}"
        answer = narrow.post(f"/v1/models/{MODEL}:predict", f'{{"instances": [{value}, {value}]}}')
        return f"{answer.status_code} {answer.json().get('error', '')}".strip()

    told = outcomes_beside_an_endless_one(ask, "504 Timed out waiting for notification")
    assert "429 The server is answering 1 requests already" in told
    assert ask(0.0) == "200"


def test_a_full_batching_queue_is_told_as_unavailable(root: Path, tmp_path: Path) -> None:
    (tmp_path / "batching.config").write_text(BATCHING)
    flags = [f"--model_name={MODEL}", f"--model_base_path={root}", "--enable_batching"]
    flags.append(f"--batching_parameters_file={tmp_path / 'batching.config'}")

    def ask(_: int) -> str:
        try:
            target.prediction.Predict(countdown.request(20_000.0), DEADLINE_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    with ServerProcess(flags) as process:
        target = target_of(process)
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(ask, range(16))) == {"OK", "UNAVAILABLE"}
