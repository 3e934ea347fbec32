"""Publishing is all or nothing, numbers only grow, and there is a way back."""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.manifest import MANIFEST_FILE, DataSource, Manifest, verify_version
from pipeline.publishing import (
    Published,
    RolledBack,
    publish,
    refuse_to_displace,
    restore_pair,
    rollback_pair,
)
from pipeline.version_folder import VersionFolder


def rollback(base: Path) -> RolledBack:
    """Takes back a served model of which no edge model was ever made."""
    served, edge = rollback_pair(base, base.with_name("no-edge"))
    assert edge is None
    return served


def restore(base: Path) -> int:
    served, edge = restore_pair(base, base.with_name("no-edge"))
    assert edge is None
    return served


def make_model(folder: Path, content: str) -> Path:
    """A folder shaped like a SavedModel, told apart by its content."""
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables" / "variables.index").write_text(content * 3)
    (folder / "assets" / "labels.txt").write_text("angry\nhappy\n")
    return folder


def draft(**fields: Any) -> Manifest:
    return Manifest(model_name="expression", **fields)


def assert_every_visible_version_is_complete(base: Path) -> None:
    for version in VersionFolder(base).visible():
        assert verify_version(base / str(version)) == []
        assert Manifest.read(base / str(version)).version == version


def test_first_version_is_1_and_holds_the_model_and_its_manifest(tmp_path: Path) -> None:
    source = make_model(tmp_path / "model", "a")
    published = publish(source, tmp_path / "base", draft(metrics={"accuracy": 0.9}), keep=2)
    assert (published.version, published.path) == (1, tmp_path / "base" / "1")
    assert (published.path / "variables" / "variables.index").read_text() == "aaa"
    manifest = Manifest.read(published.path)
    assert manifest.metrics == {"accuracy": 0.9}
    assert sorted(manifest.files) == [
        "assets/labels.txt",
        "saved_model.pb",
        "variables/variables.index",
    ]
    assert_every_visible_version_is_complete(tmp_path / "base")


def test_model_that_is_already_the_newest_is_not_published_again(tmp_path: Path) -> None:
    source = make_model(tmp_path / "model", "a")
    publish(source, tmp_path / "base", draft(), keep=2)
    again = publish(source, tmp_path / "base", draft(metrics={"accuracy": 1.0}), keep=2)
    assert again.already_pushed
    assert again.version == 1
    assert VersionFolder(tmp_path / "base").visible() == [1]


def test_only_the_newest_versions_are_kept(tmp_path: Path) -> None:
    for name in "abcde":
        publish(make_model(tmp_path / name, name), tmp_path / "base", draft(), keep=2)
    assert VersionFolder(tmp_path / "base").visible() == [4, 5]
    assert sorted(p.name for p in (tmp_path / "base").iterdir()) == [".lock", "4", "5"]


def test_versions_of_other_pushers_count(tmp_path: Path) -> None:
    (tmp_path / "base" / "1700000000").mkdir(parents=True)
    published = publish(make_model(tmp_path / "a", "a"), tmp_path / "base", draft(), keep=3)
    assert published.version == 1700000001


def test_stale_staging_and_pruned_folders_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    for name in (".staging-1", ".pruned-4"):
        make_model(tmp_path / "base" / name, "half")
    publish(make_model(tmp_path / "a", "a"), tmp_path / "base", draft(), keep=3)
    assert sorted(p.name for p in (tmp_path / "base").iterdir()) == [".lock", "1"]


def test_nothing_is_left_of_a_publish_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", disk_full)
    with pytest.raises(UserError, match="No space left"):
        publish(make_model(tmp_path / "a", "a"), tmp_path / "base", draft(), keep=3)
    assert [p.name for p in (tmp_path / "base").iterdir()] == [".lock"]


@pytest.mark.parametrize("base", ["s3://bucket/models", "gs://bucket/models"])
def test_base_that_cannot_rename_folders_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(UserError, match="not a local folder"):
        publish(make_model(tmp_path / "a", "a"), Path(base), draft(), keep=3)


def test_base_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").write_text("")
    with pytest.raises(UserError, match="base cannot be made a folder"):
        publish(make_model(tmp_path / "a", "a"), tmp_path / "base", draft(), keep=3)


def test_source_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model files"):
        publish(tmp_path / "missing", tmp_path / "base", draft(), keep=3)
    assert not (tmp_path / "base").exists()


def test_rollback_shows_the_previous_version_and_keeps_the_number_used(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in "abc":
        publish(make_model(tmp_path / name, name), base, draft(), keep=3)
    outcome = rollback(base)
    assert (outcome.from_version, outcome.to_version) == (3, 2)
    assert VersionFolder(base).visible() == [1, 2]
    assert publish(make_model(tmp_path / "d", "d"), base, draft(), keep=3).version == 4


def test_publishing_a_rolled_back_model_again_does_not_undo_the_rollback(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in "ab":
        publish(make_model(tmp_path / name, name), base, draft(), keep=3)
    rollback(base)
    again = publish(tmp_path / "b", base, draft(), keep=3)
    assert again.rolled_back
    assert again.version == 2
    assert VersionFolder(base).visible() == [1]


def test_restore_undoes_rollbacks_one_by_one(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in "abc":
        publish(make_model(tmp_path / name, name), base, draft(), keep=3)
    rollback(base)
    rollback(base)
    assert [restore(base), restore(base)] == [2, 3]
    with pytest.raises(UserError, match="no rolled back version"):
        restore(base)


def test_restore_brings_back_what_was_rolled_back_last(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in "abc":
        publish(make_model(tmp_path / name, name), base, draft(), keep=3)
        if name != "a":
            rollback(base)
    assert restore(base) == 3
    assert VersionFolder(base).visible() == [1, 3]
    assert VersionFolder(base).hidden("retired") == []


def test_rollback_needs_an_earlier_version(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing was published there yet"):
        rollback(tmp_path / "base")
    publish(make_model(tmp_path / "a", "a"), tmp_path / "base", draft(), keep=3)
    with pytest.raises(UserError, match="only version 1"):
        rollback(tmp_path / "base")


def test_rollback_refuses_a_version_whose_files_changed(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in "ab":
        publish(make_model(tmp_path / name, name), base, draft(), keep=3)
    (base / "1" / "saved_model.pb").write_text("x")
    with pytest.raises(UserError, match=r"saved_model\.pb has changed"):
        rollback(base)
    assert VersionFolder(base).visible() == [1, 2]


def _serve(folder: Path, version: int, source: str | None) -> None:
    path = folder / str(version)
    path.mkdir(parents=True)
    if source is not None:
        Manifest(model_name="expression", data=DataSource(source=source)).write(path)


def test_a_model_of_the_sample_takes_the_place_of_no_real_one(tmp_path: Path) -> None:
    _serve(tmp_path, 1, "drawn-sample-0123456789abcdef.zip")
    _serve(tmp_path, 2, "archive.zip")
    with pytest.raises(UserError, match=r"2 is a model of archive\.zip.*--data.*--workspace"):
        refuse_to_displace(tmp_path)


@pytest.mark.parametrize("source", ["drawn-sample-0123456789abcdef.zip", "", None])
def test_a_model_of_the_sample_or_of_unknown_data_is_followed(
    tmp_path: Path, source: str | None
) -> None:
    refuse_to_displace(tmp_path)
    _serve(tmp_path, 1, source)
    refuse_to_displace(tmp_path)


def publish_pair(tmp_path: Path, name: str, *, with_edge: bool = True) -> None:
    served = publish(make_model(tmp_path / name, name), tmp_path / "serving", draft(), keep=5)
    if with_edge:
        publish_edge(tmp_path, f"{name}-edge", made_from=served.path)


def publish_edge(tmp_path: Path, name: str, *, made_from: Path) -> Published:
    link = Manifest.read(made_from).model_fingerprint
    return publish(
        make_model(tmp_path / name, name),
        tmp_path / "edge",
        draft(kind="edge", serving_fingerprint=link),
        keep=5,
        serving=tmp_path / "serving",
    )


def test_rollback_takes_the_edge_model_made_from_the_withdrawn_version_along(
    tmp_path: Path,
) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert VersionFolder(tmp_path / "serving").visible() == [1]
    assert VersionFolder(tmp_path / "edge").visible() == [1]


def test_rollback_leaves_an_edge_model_made_from_an_earlier_version(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b", with_edge=False)
    _, edge = rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert edge is None
    assert VersionFolder(tmp_path / "edge").visible() == [1]


def test_rollback_leaves_no_edge_model_of_a_withdrawn_version(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a", with_edge=False)
    publish_pair(tmp_path, "b")
    _, edge = rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert edge is not None
    assert (edge.from_version, edge.to_version) == (1, None)


def test_rollback_works_where_no_edge_model_was_ever_published(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a", with_edge=False)
    publish_pair(tmp_path, "b", with_edge=False)
    served, edge = rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert (served.to_version, edge) == (1, None)


def test_restore_brings_the_pair_back(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert restore_pair(tmp_path / "serving", tmp_path / "edge") == (2, 2)
    assert VersionFolder(tmp_path / "edge").visible() == [1, 2]


def test_restore_leaves_a_retired_edge_model_of_another_version(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    rollback_pair(tmp_path / "serving", tmp_path / "edge")
    publish_pair(tmp_path, "c", with_edge=False)
    rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert restore_pair(tmp_path / "serving", tmp_path / "edge")[1] is None
    assert VersionFolder(tmp_path / "edge").visible() == [1]


@pytest.mark.usefixtures("without_fsync")
@pytest.mark.parametrize("kill_point", range(1, 16))
def test_rollback_and_restore_of_a_pair_can_be_repeated_after_a_kill(
    tmp_path: Path, kill_point: int
) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    bases = (tmp_path / "serving", tmp_path / "edge")
    for action, expected in ((rollback_pair, [1]), (restore_pair, [1, 2])):
        if killed_at(kill_point, partial(action, *bases)):
            assert VersionFolder(bases[0]).visible() in ([1], [1, 2])
            if VersionFolder(bases[0]).visible() != expected:
                action(*bases)
        assert [VersionFolder(base).visible() for base in bases] == [expected, expected]


def test_all_edge_models_of_the_withdrawn_version_go_and_come_back_with_it(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    publish_edge(tmp_path, "b-edge-again", made_from=tmp_path / "serving" / "2")
    bases = (tmp_path / "serving", tmp_path / "edge")
    assert rollback_pair(*bases) == (RolledBack(2, 1), RolledBack(3, 1))
    assert VersionFolder(tmp_path / "edge").visible() == [1]
    assert restore_pair(*bases) == (2, 3)
    assert VersionFolder(tmp_path / "edge").visible() == [1, 2, 3]


@pytest.mark.usefixtures("without_fsync")
@pytest.mark.parametrize("kill_point", range(1, 41))
def test_a_killed_rollback_of_several_edge_models_loses_none(
    tmp_path: Path, kill_point: int
) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b")
    publish_edge(tmp_path, "b-edge-again", made_from=tmp_path / "serving" / "2")
    bases = (tmp_path / "serving", tmp_path / "edge")
    for action, edges in ((rollback_pair, [1]), (restore_pair, [1, 2, 3])):
        before = VersionFolder(bases[0]).visible()
        killed_at(kill_point, partial(action, *bases))
        if VersionFolder(bases[0]).visible() == before:
            action(*bases)
        assert VersionFolder(bases[1]).visible() == edges


def test_no_edge_model_of_a_rolled_back_version_is_published(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    publish_pair(tmp_path, "b", with_edge=False)
    bases = (tmp_path / "serving", tmp_path / "edge")
    rollback_pair(*bases)
    withdrawn = VersionFolder(tmp_path / "serving").hidden_path(2, "retired")
    assert publish_edge(tmp_path, "b-edge", made_from=withdrawn).rolled_back
    assert VersionFolder(tmp_path / "edge").visible() == [1]
    restore_pair(*bases)
    assert publish_edge(tmp_path, "b-edge-later", made_from=tmp_path / "serving" / "2").version == 2


def test_failed_rollback_leaves_the_edge_model_alone(tmp_path: Path) -> None:
    publish_pair(tmp_path, "a")
    with pytest.raises(UserError, match="no earlier version"):
        rollback_pair(tmp_path / "serving", tmp_path / "edge")
    assert VersionFolder(tmp_path / "edge").visible() == [1]


def test_concurrent_publishers_get_different_versions(tmp_path: Path) -> None:
    sources = [make_model(tmp_path / name, name) for name in "abcdefgh"]
    with ThreadPoolExecutor(4) as pool:
        versions = pool.map(lambda s: publish(s, tmp_path / "base", draft(), 20).version, sources)
    assert sorted(versions) == list(range(1, 9))
    assert_every_visible_version_is_complete(tmp_path / "base")


def test_poller_never_sees_an_incomplete_version(tmp_path: Path) -> None:
    base = tmp_path / "base"
    published_all = threading.Event()
    incomplete: list[str] = []

    def poll() -> None:
        while not published_all.is_set():
            for version in VersionFolder(base).visible()[-1:]:
                folder = base / str(version)
                names = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
                missing = {MANIFEST_FILE, "saved_model.pb", "variables/variables.index"} - names
                incomplete.extend(f"{version} lacks {name}" for name in missing)
                incomplete.extend(f"{version}: {p}" for p in verify_version(folder))

    poller = threading.Thread(target=poll)
    poller.start()
    for number in range(40):
        publish(make_model(tmp_path / f"m{number}", str(number) * 1000), base, draft(), keep=40)
    published_all.set()
    poller.join()
    assert incomplete == []


@pytest.fixture
def without_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process, unlike a power cut, loses nothing that waits to be flushed."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def killed_at(event_number: int, action: Callable[[], object]) -> bool:
    """Runs an action in a child process, killed at its n-th file-system call.

    Returns:
        Whether the child was killed; False if the action ended before.
    """
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _: object) -> None:
            nonlocal seen
            if event == "open" or event.startswith(("os.", "shutil.")):
                seen += 1
                if seen == event_number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            action()
        except UserError:
            pass
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


ACTIONS = st.sampled_from(["publish", "publish again", "rollback", "restore"])
STEPS = st.lists(st.tuples(ACTIONS, st.none() | st.integers(1, 60)), min_size=1, max_size=8)


@pytest.mark.usefixtures("without_fsync")
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, keep=st.integers(1, 3))
def test_killed_at_any_point_versions_stay_complete_and_numbers_grow(
    steps: list[tuple[str, int | None]], keep: int
) -> None:
    with tempfile.TemporaryDirectory() as root:
        base, models = Path(root) / "base", Path(root) / "models"
        base.mkdir()
        folder = VersionFolder(base)
        shown: dict[int, str] = {}
        for number, (action, kill_point) in enumerate(steps):
            source = models / str(number)
            if action == "publish again" and number and (models / str(number - 1)).is_dir():
                source = models / str(number - 1)
            else:
                make_model(source, f"model {number}")
            act: Callable[[], object] = partial(publish, source, base, draft(), keep)
            if not action.startswith("publish"):
                act = partial(rollback if action == "rollback" else restore, base)
            if kill_point is None:
                try:
                    act()
                except UserError:
                    assert action in ("rollback", "restore")
                if action.startswith("publish"):
                    assert len(folder.visible()) <= keep
                    assert folder.hidden("staging") == folder.hidden("pruned") == []
            else:
                killed_at(kill_point, act)
            assert_every_visible_version_is_complete(base)
            new = set(folder.visible()) - shown.keys()
            assert all(version > max(shown, default=0) for version in new)
            for version in folder.visible():
                fingerprint = Manifest.read(base / str(version)).model_fingerprint
                assert shown.setdefault(version, fingerprint) == fingerprint


@pytest.mark.usefixtures("without_fsync")
def test_publish_killed_at_every_call_in_turn_publishes_all_or_nothing(tmp_path: Path) -> None:
    first, second = make_model(tmp_path / "a", "a"), make_model(tmp_path / "b", "b")
    kill_point = 1
    while True:
        base = tmp_path / f"base-{kill_point}"
        publish(first, base, draft(), keep=1)
        killed = killed_at(kill_point, partial(publish, second, base, draft(), 1))
        assert_every_visible_version_is_complete(base)
        assert VersionFolder(base).visible() in ([1], [1, 2], [2])
        assert publish(second, base, draft(), keep=1).version == 2
        assert sorted(p.name for p in base.iterdir()) == [".lock", "2"]
        if not killed:
            break
        kill_point += 1
    assert kill_point > 30
