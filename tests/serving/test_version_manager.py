"""Loading, swapping and retiring versions, with servables that only remember what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.errors import ServingError
from serving.version_manager import VersionManager
from serving.version_status import RetryPolicy, State
from tests.serving.fake_loads import (
    WAIT_SECONDS,
    FakeLoads,
    config,
    push,
    state,
    wait,
    wait_state,
)


@pytest.fixture
def loads() -> FakeLoads:
    return FakeLoads()


@pytest.fixture
def manager(loads: FakeLoads) -> Iterator[VersionManager]:
    manager = VersionManager(loads, retry=RetryPolicy(2, 0.001), poll_seconds=0.005)
    manager.start()
    yield manager
    loads.may_load.set()
    manager.close()


def test_a_pushed_version_replaces_the_one_before(manager: VersionManager, tmp_path: Path) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    push(tmp_path, 2)
    wait_state(manager, 1, State.END)
    assert manager.acquire("m", None).version == 2


def test_the_old_version_answers_while_the_new_one_loads(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    loads.may_load.clear()
    push(tmp_path, 2)
    wait_state(manager, 2, State.LOADING)
    assert manager.acquire("m", None).version == 1
    loads.may_load.set()
    wait_state(manager, 2, State.AVAILABLE)


def test_a_version_that_fails_to_load_takes_nothing_down(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    loads.failing.add(2)
    push(tmp_path, 2)
    wait_state(manager, 2, State.END)
    assert loads.attempts.count(2) == 3  # Once, and two retries.
    assert str(manager.statuses("m")[2].error) == "INTERNAL: ValueError: broken"
    assert manager.acquire("m", None).version == 1


def test_a_load_that_succeeds_on_a_retry_is_served(loads: FakeLoads, tmp_path: Path) -> None:
    manager = VersionManager(loads, retry=RetryPolicy(1000, 0.001), poll_seconds=0)
    manager.start()
    loads.failing.add(1)
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait(manager, lambda: state(manager, 1) == State.LOADING and loads.attempts.count(1) > 1)
    loads.failing.clear()
    wait_state(manager, 1, State.AVAILABLE)
    assert manager.statuses("m")[1].error is None
    manager.close()


def held_up(manager: VersionManager, loads: FakeLoads, base: Path) -> None:
    """Serves version 1, and is in the midst of loading 2."""
    push(base, 1)
    manager.set_models(config(base))
    wait_state(manager, 1, State.AVAILABLE)
    loads.may_load.clear()
    push(base, 2)
    while loads.begun.get(timeout=WAIT_SECONDS) != 2:
        pass


def test_one_superseded_version_is_enough_until_a_wanted_one_has_loaded(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    held_up(manager, loads, tmp_path)
    loads.failing.add(3)
    push(tmp_path, 3)
    wait_state(manager, 3, State.LOADING)
    loads.may_load.set()
    wait_state(manager, 1, State.END)
    assert manager.acquire("m", None).version == 2


def test_a_version_that_was_superseded_before_its_turn_is_not_loaded(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    held_up(manager, loads, tmp_path)
    for version in (3, 4):
        push(tmp_path, version)
        wait_state(manager, version, State.LOADING)
    loads.may_load.set()
    wait_state(manager, 4, State.AVAILABLE)
    assert 3 not in loads.attempts
    assert state(manager, 3) == State.END


def test_removing_a_version_rolls_back_to_the_one_before(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    push(tmp_path, 2)
    manager.set_models(config(tmp_path))
    wait_state(manager, 2, State.AVAILABLE)
    (tmp_path / "2").rmdir()
    wait_state(manager, 2, State.END)
    assert manager.acquire("m", None).version == 1
    assert loads.attempts == [2, 1]


def test_a_removed_version_may_come_back(manager: VersionManager, tmp_path: Path) -> None:
    push(tmp_path, 1)
    push(tmp_path, 2)
    manager.set_models(config(tmp_path))
    wait_state(manager, 2, State.AVAILABLE)
    (tmp_path / "2").rmdir()
    wait_state(manager, 2, State.END)
    push(tmp_path, 2)
    wait_state(manager, 2, State.AVAILABLE)


def test_a_base_path_that_vanishes_keeps_what_is_loaded(
    manager: VersionManager, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    push(base, 1)
    manager.set_models(config(base))
    wait_state(manager, 1, State.AVAILABLE)
    base.rename(tmp_path / "elsewhere")
    manager.set_models(config(base))
    assert manager.acquire("m", None).version == 1


def test_a_model_dropped_from_the_config_is_unloaded(
    manager: VersionManager, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    manager.set_models({})
    wait_state(manager, 1, State.END)
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        manager.acquire("m", None)


def test_a_version_in_use_ends_only_after_its_requests(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    loads.servables[1].may_retire.clear()
    push(tmp_path, 2)
    wait_state(manager, 1, State.UNLOADING)
    assert manager.acquire("m", None).version == 2
    loads.servables[1].may_retire.set()
    wait_state(manager, 1, State.END)


def test_a_missing_version_is_told_with_the_request(manager: VersionManager) -> None:
    with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(m, 9\)"):
        manager.acquire("m", 9)


def test_a_version_wanted_again_while_it_unloads_comes_back_without_a_gap(
    manager: VersionManager, loads: FakeLoads, tmp_path: Path
) -> None:
    push(tmp_path, 1)
    manager.set_models(config(tmp_path))
    wait_state(manager, 1, State.AVAILABLE)
    first = loads.servables[1]
    first.may_retire.clear()
    push(tmp_path, 2)
    wait_state(manager, 1, State.UNLOADING)
    (tmp_path / "2").rmdir()
    wait(manager, lambda: manager.statuses("m")[1].aspired)
    assert manager.acquire("m", None).version == 2
    first.may_retire.set()
    wait_state(manager, 2, State.END)
    assert manager.acquire("m", None).version == 1
    assert loads.attempts == [1, 2, 1]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Folder of version 1 of a model that will move to another base path."""
    return with_version_1(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Folder of the same version under that other base path."""
    return with_version_1(tmp_path / "new")


def with_version_1(base: Path) -> Path:
    base.mkdir()
    push(base, 1)
    return base / "1"


@pytest.fixture
def patient(loads: FakeLoads) -> Iterator[VersionManager]:
    """A manager that tries a failed load again only after an hour."""
    manager = VersionManager(loads, retry=RetryPolicy(1, 3600.0), poll_seconds=0.005)
    manager.start()
    yield manager
    manager.close()


def test_a_model_that_is_removed_is_not_tried_again(
    patient: VersionManager, loads: FakeLoads, old: Path
) -> None:
    loads.failing.add(1)
    patient.set_models(config(old.parent))
    wait(patient, lambda: bool(patient.statuses("m")[1].retry_at))
    patient.set_models({})
    assert state(patient, 1) == State.END


@pytest.mark.parametrize("removed", [True, False])
def test_a_corrected_base_path_does_not_wait_for_the_wrong_one(
    patient: VersionManager, loads: FakeLoads, old: Path, new: Path, removed: bool
) -> None:
    loads.failing_paths.add(old)
    patient.set_models(config(old.parent))
    wait(patient, lambda: bool(patient.statuses("m")[1].retry_at))
    if removed:
        patient.set_models({})
    patient.set_models(config(new.parent))
    wait_state(patient, 1, State.AVAILABLE)
    assert loads.paths == [old, new]


def test_a_base_path_that_changes_after_the_last_attempt_is_tried(
    manager: VersionManager, loads: FakeLoads, old: Path, new: Path
) -> None:
    loads.failing_paths.add(old)
    manager.set_models(config(old.parent))
    wait_state(manager, 1, State.END)
    manager.set_models(config(new.parent))
    wait_state(manager, 1, State.AVAILABLE)
    assert loads.paths == [old, old, old, new]


@pytest.mark.parametrize("removed", [True, False])
def test_a_version_in_another_folder_is_loaded_once_the_one_before_has_ended(
    manager: VersionManager, loads: FakeLoads, old: Path, new: Path, removed: bool
) -> None:
    manager.set_models(config(old.parent))
    wait_state(manager, 1, State.AVAILABLE)
    first = loads.servables[1]
    first.may_retire.clear()
    if removed:
        manager.set_models({})
    manager.set_models(config(new.parent))
    assert state(manager, 1) == State.UNLOADING
    assert loads.paths == [old]
    first.may_retire.set()
    wait_state(manager, 1, State.AVAILABLE)
    assert loads.paths == [old, new]


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_load_from_the_folder_of_before_is_never_served(
    manager: VersionManager, loads: FakeLoads, old: Path, new: Path, removed: bool, fails: bool
) -> None:
    if fails:
        loads.failing_paths.add(old)
    loads.may_load.clear()
    manager.set_models(config(old.parent))
    assert loads.begun.get(timeout=WAIT_SECONDS) == 1
    if removed:
        manager.set_models({})
    manager.set_models(config(new.parent))
    loads.may_load.set()
    wait_state(manager, 1, State.AVAILABLE)
    assert loads.paths == [old, new]
    assert manager.acquire("m", None) is loads.servables[1]
