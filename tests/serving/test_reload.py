"""What a config does that is applied while the server runs, with models that only seem to load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorflow_serving.config import model_server_config_pb2

from serving.errors import ServingError
from serving.metrics import Metrics
from serving.request_log import RequestLog
from serving.server_core import ServerCore
from serving.version_manager import VersionManager
from serving.version_status import RetryPolicy
from tests.serving.fake_loads import FakeLoads, push


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
