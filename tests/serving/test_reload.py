"""What a config does that is applied while the server runs, with models that only seem to load."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.deadline import Deadline
from serving.errors import ServingError, StatusCode
from serving.metrics import Metrics
from serving.request_log import RequestLog
from serving.server_core import ServerCore
from serving.version_manager import VersionManager
from serving.version_status import RetryPolicy
from tests.serving.clients import DEADLINE_SECONDS
from tests.serving.fake_loads import WAIT_SECONDS, FakeLoads, push
from tests.serving.single_thread import channel_to

SOON = 0.05
"""Seconds until a deadline that is meant to pass."""


@pytest.fixture
def loads() -> FakeLoads:
    return FakeLoads()


@pytest.fixture
def core(loads: FakeLoads, tmp_path: Path) -> Iterator[ServerCore]:
    """A core that serves version 1 of model `a`, and where `b` has a version to load."""
    manager = VersionManager(loads, retry=RetryPolicy(1, 0.001), poll_seconds=0)
    core = ServerCore(manager, RequestLog(Metrics()))
    manager.start()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        push(tmp_path / name, 1)
    core.apply(models(tmp_path, "a"))
    assert loads.begun.get(timeout=WAIT_SECONDS) == 1
    yield core
    loads.may_load.set()
    manager.close()
    core.request_log.close()


def models(base: Path, *names: str) -> Any:
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(
            name=name, base_path=str(base / name), model_platform="tensorflow"
        )
    return config


def test_the_config_that_was_taken_last_is_known(core: ServerCore, tmp_path: Path) -> None:
    assert core.applied == models(tmp_path, "a")
    core.apply(models(tmp_path, "a", "b"))
    assert core.applied == models(tmp_path, "a", "b")


def test_a_config_that_was_refused_is_not_in_force(core: ServerCore, tmp_path: Path) -> None:
    with pytest.raises(ServingError):
        core.apply(models(tmp_path, "a", "a"))
    assert core.applied == models(tmp_path, "a")


def test_a_config_whose_model_fails_is_in_force(
    core: ServerCore, loads: FakeLoads, tmp_path: Path
) -> None:
    loads.failing.add(1)
    with pytest.raises(ServingError, match="did not become available"):
        core.apply(models(tmp_path, "a", "b"))
    assert core.applied == models(tmp_path, "a", "b")


def test_an_empty_config_is_taken_once_and_changes_nothing(core: ServerCore) -> None:
    empty = model_server_config_pb2.ModelServerConfig()
    core.apply(empty)
    assert core.applied == empty
    assert core.ready()
    assert core.manager.knows("a")


def test_a_reload_waits_for_its_model_no_longer_than_its_client(
    core: ServerCore, loads: FakeLoads, tmp_path: Path
) -> None:
    loads.may_load.clear()
    with pytest.raises(ServingError) as caught:
        core.apply(models(tmp_path, "a", "b"), Deadline.after(SOON))
    assert caught.value.code == StatusCode.DEADLINE_EXCEEDED


def test_a_reload_ends_when_its_client_has_gone(
    core: ServerCore, loads: FakeLoads, tmp_path: Path
) -> None:
    loads.may_load.clear()
    until_the_load_begins = Deadline(is_waiting=loads.begun.empty)
    with pytest.raises(ServingError) as caught:
        core.apply(models(tmp_path, "a", "b"), until_the_load_begins)
    assert caught.value.code == StatusCode.CANCELLED


def test_a_reload_that_comes_again_waits_for_what_still_loads(
    core: ServerCore, loads: FakeLoads, tmp_path: Path
) -> None:
    loads.may_load.clear()
    for _ in range(2):
        with pytest.raises(ServingError) as caught:
            core.apply(models(tmp_path, "a", "b"), Deadline.after(SOON))
        assert caught.value.code == StatusCode.DEADLINE_EXCEEDED
    loads.may_load.set()
    core.apply(models(tmp_path, "a", "b"))
    core.manager.acquire("b", 1)


@pytest.mark.parametrize(
    ("deadline", "code"),
    [
        (lambda: Deadline.after(SOON), StatusCode.DEADLINE_EXCEEDED),
        (lambda: Deadline(is_waiting=lambda: False), StatusCode.CANCELLED),
    ],
)
def test_a_reload_nobody_waits_for_while_another_is_applied_changes_nothing(
    core: ServerCore, loads: FakeLoads, tmp_path: Path, deadline: Any, code: StatusCode
) -> None:
    loads.may_load.clear()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(core.apply, models(tmp_path, "a", "b"))
        assert loads.begun.get(timeout=WAIT_SECONDS) == 1
        with pytest.raises(ServingError) as caught:
            core.apply(models(tmp_path, "b"), deadline())
        loads.may_load.set()
        other.result()
    assert caught.value.code == code
    assert core.applied == models(tmp_path, "a", "b")


@pytest.fixture
def channel(core: ServerCore) -> Iterator[grpc.Channel]:
    """To a server with a single thread for calls."""
    with channel_to(SimpleNamespace(core=core)) as channel:
        yield channel


def test_reloads_that_wait_take_no_thread_of_the_other_calls(
    channel: grpc.Channel, loads: FakeLoads, tmp_path: Path
) -> None:
    def reload(config: Any) -> Any:
        request = model_management_pb2.ReloadConfigRequest(config=config)
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        return stub.HandleReloadConfigRequest.future(request, DEADLINE_SECONDS)

    loads.may_load.clear()
    waiting = [reload(models(tmp_path, "a", "b")) for _ in range(2)]
    assert loads.begun.get(timeout=WAIT_SECONDS) == 1
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(), DEADLINE_SECONDS
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    for call in waiting:
        call.cancel()
    assert reload(models(tmp_path, "a")).result()
