"""A model's versions without TensorFlow: loads and servables that only remember what happened."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from serving.version_manager import VersionManager
from serving.version_status import State

WAIT_SECONDS = 20.0


class FakeServable:
    def __init__(self, name: str, version: int) -> None:
        self.name, self.version = name, version
        self.retired = False
        self.may_retire = threading.Event()
        self.may_retire.set()

    def try_acquire(self) -> bool:
        return not self.retired

    def release(self) -> None:
        pass

    def retire(self) -> None:
        self.may_retire.wait(WAIT_SECONDS)
        self.retired = True


class FakeLoads:
    """Loads that succeed unless told otherwise, in an order that can be held up."""

    def __init__(self) -> None:
        self.failing: set[int] = set()
        self.failing_paths: set[Path] = set()
        self.begun: queue.Queue[int] = queue.Queue()
        self.attempts: list[int] = []
        self.paths: list[Path] = []
        self.servables: dict[int, FakeServable] = {}
        self.may_load = threading.Event()
        self.may_load.set()

    def __call__(self, name: str, version: int, path: str) -> Any:
        self.begun.put(version)
        self.may_load.wait(WAIT_SECONDS)
        self.attempts.append(version)
        self.paths.append(Path(path))
        if version in self.failing or Path(path) in self.failing_paths:
            raise ValueError("broken")
        self.servables[version] = FakeServable(name, version)
        return self.servables[version]


def config(base: Path) -> dict[str, Any]:
    return {"m": model_server_config_pb2.ModelConfig(name="m", base_path=str(base))}


def push(base: Path, version: int) -> None:
    (base / str(version)).mkdir()


def wait(manager: VersionManager, reached: Callable[[], bool]) -> None:
    with manager.changed:
        assert manager.changed.wait_for(reached, WAIT_SECONDS)


def state(manager: VersionManager, version: int) -> State | None:
    status = manager.statuses("m").get(version)
    return status.state if status else None


def wait_state(manager: VersionManager, version: int, wanted: State) -> None:
    wait(manager, lambda: state(manager, version) == wanted)
