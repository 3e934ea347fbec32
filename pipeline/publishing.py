"""Publishing a model as a new version, and the way back; all of it or none of it."""

import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import UserError
from pipeline.manifest import Manifest, model_fingerprint, record_files, verify_version
from pipeline.version_folder import VersionFolder, flush


@dataclass(frozen=True)
class Published:
    """The outcome of `publish`.

    Attributes:
        version: the version that has the model's files.
        path: its folder.
        already_pushed: the newest version had this very model; nothing was published.
        rolled_back: this very model was rolled back and nothing newer was published since;
            nothing was published, and `path` is the retired folder.
    """

    version: int
    path: Path
    already_pushed: bool = False
    rolled_back: bool = False


@dataclass(frozen=True)
class RolledBack:
    """The outcome of a rollback; `to_version` is None where no version is left (edge only)."""

    from_version: int
    to_version: int | None


def publish(source: Path, base: Path, manifest: Manifest, keep: int) -> Published:
    """Publishes a model folder as the next version.

    The files are copied to a hidden folder beside the versions, flushed to disk and checked, and
    renamed into sight in one step. The version is one more than the highest number ever used,
    rolled back versions included. A model that already is the newest version is not published
    again. One that was rolled back, with nothing published since, is not either: running the same
    pipeline once more must not undo an operator's decision (`restore` does).

    Args:
        source: folder with the model's files; a `manifest.json` in it is left out.
        base: folder of versions; created if missing.
        manifest: what to record; version, created, files and model fingerprint are filled in.
        keep: how many versions stay, at least 1; rolled back ones are deleted.

    Returns:
        The version, and whether it was there already.

    Raises:
        UserError: the source has no files, or the base cannot be written to.
    """
    if keep < 1:
        raise UserError(f"keep_versions is {keep}; set it to 1 or more.")
    files = record_files(source) if source.is_dir() else {}
    if not files:
        raise UserError(f"{source} holds no model files; train a model before publishing.")
    fingerprint = model_fingerprint(files)
    folder = _open_for_publishing(base)
    with folder.locked():
        folder.clear("staging")
        folder.clear("pruned")
        outcome = _find_published(folder, fingerprint)
        if outcome is None:
            version = folder.highest_used() + 1
            complete = manifest.model_copy(
                update={
                    "version": version,
                    "created": datetime.now(UTC).isoformat(timespec="seconds"),
                    "files": files,
                    "model_fingerprint": fingerprint,
                }
            )
            _stage(source, folder.hidden_path(version, "staging"), complete)
            folder.show(version, "staging")
            outcome = Published(version, folder.path(version))
        folder.prune(keep)
    return outcome


def rollback(base: Path) -> RolledBack:
    """Takes the newest version out of sight, so that the previous one is served again.

    TensorFlow Serving serves the highest number it sees. Publishing the old files again under a
    new number would do too, but then one model has two numbers, answers that name their version
    no longer tell models apart, and the bad version stays visible to clients that ask for it.
    Renaming `<n>` to `.retired-<n>` drops exactly that version: the server loads the previous
    one before it unloads n, no number is ever used twice, and `restore` can bring it back.

    Returns:
        The version that was retired and the one that is now the newest.

    Raises:
        UserError: there is no earlier version, or its files are not the ones published.
    """
    folder = _open_existing(base)
    with folder.locked():
        outcome = _plan_rollback(folder)
        folder.drop_superseded()
        folder.hide(outcome.from_version, "retired")
    return outcome


def rollback_pair(serving: Path, edge: Path) -> tuple[RolledBack, RolledBack | None]:
    """Rolls back the served model and, if it was made from it, the newest edge model.

    This restores what was visible before the newest served version was published: an edge model
    made from an earlier one (as when the newest failed the edge gate) stays, and where the
    newest edge model is the only one, none is left. The edge model goes first, so that a run
    killed between the two steps can be repeated without going back twice.

    Returns:
        What happened to the served model, and to the edge model (None if it stays).

    Raises:
        UserError: as `rollback` of the served model.
    """
    served, edges = _open_existing(serving), VersionFolder(edge)
    with ExitStack() as locks:
        locks.enter_context(served.locked())
        outcome = _plan_rollback(served)
        edge_outcome = None
        if edge.is_dir():
            locks.enter_context(edges.locked())
            edge_outcome = _plan_edge_rollback(edges, served.path(outcome.from_version))
        if edge_outcome:
            edges.drop_superseded()
            edges.hide(edge_outcome.from_version, "retired")
        served.drop_superseded()
        served.hide(outcome.from_version, "retired")
    return outcome, edge_outcome


def restore(base: Path) -> int:
    """Undoes the last rollback: shows the retired version that follows the newest visible one.

    Returns:
        The version that is now the newest.

    Raises:
        UserError: nothing newer than the newest visible version is retired.
    """
    folder = _open_existing(base)
    with folder.locked():
        version = _plan_restore(folder)
        folder.show(version, "retired")
    return version


def restore_pair(serving: Path, edge: Path) -> tuple[int, int | None]:
    """Undoes the last `rollback_pair`; the edge model goes first, as there.

    Returns:
        The served version that is now the newest, and the edge version that came back with it
        (None if none was made from it).

    Raises:
        UserError: as `restore` of the served model.
    """
    served, edges = _open_existing(serving), VersionFolder(edge)
    with ExitStack() as locks:
        locks.enter_context(served.locked())
        version = _plan_restore(served)
        edge_version = None
        if edge.is_dir():
            locks.enter_context(edges.locked())
            edge_version = _plan_edge_restore(edges, served.hidden_path(version, "retired"))
        if edge_version:
            edges.show(edge_version, "retired")
        served.show(version, "retired")
    return version, edge_version


def _stage(source: Path, staging: Path, manifest: Manifest) -> None:
    """Copies a model and its manifest out of sight, checks them, and flushes them to disk."""
    try:
        staging.mkdir()
        for name in manifest.files:
            target = staging / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
            flush(target)
        manifest.write(staging)
        problems = manifest.verify(staging)
        if problems:
            raise UserError(f"{source} changed while it was published: {problems[0]}; run again.")
        for path in [*(p for p in staging.rglob("*") if p.is_dir()), staging]:
            flush(path)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise UserError(f"{source} could not be published to {staging.parent}: {error}.") from error
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _find_published(folder: VersionFolder, fingerprint: str) -> Published | None:
    """Finds a model that is the newest version, or was rolled back from being that."""
    newest = folder.newest()
    if newest and _read_manifest(folder.path(newest)).model_fingerprint == fingerprint:
        return Published(newest, folder.path(newest), already_pushed=True)
    for version in folder.hidden("retired"):
        path = folder.hidden_path(version, "retired")
        if version > newest and _read_manifest(path).model_fingerprint == fingerprint:
            return Published(version, path, rolled_back=True)
    return None


def _plan_rollback(folder: VersionFolder) -> RolledBack:
    versions = folder.visible()
    if len(versions) < 2:
        found = f"only version {versions[0]}" if versions else "no version"
        raise UserError(f"{folder.base} has no earlier version to go back to: it has {found}.")
    previous = folder.path(versions[-2])
    problems = verify_version(previous)
    if problems:
        raise UserError(
            f"{previous} cannot be rolled back to: {problems[0]}. Publish a new version instead."
        )
    return RolledBack(versions[-1], versions[-2])


def _plan_edge_rollback(edges: VersionFolder, withdrawn: Path) -> RolledBack | None:
    """Returns which edge version goes with a served one that is withdrawn; None if none does."""
    fingerprint = _read_manifest(withdrawn).model_fingerprint
    versions = edges.visible()
    if not fingerprint or not versions:
        return None
    if _read_manifest(edges.path(versions[-1])).serving_fingerprint != fingerprint:
        return None
    return RolledBack(versions[-1], versions[-2] if len(versions) > 1 else None)


def _plan_restore(folder: VersionFolder) -> int:
    later = [version for version in folder.hidden("retired") if version > folder.newest()]
    if not later:
        raise UserError(f"{folder.base} has no rolled back version to restore.")
    return later[0]


def _plan_edge_restore(edges: VersionFolder, restored: Path) -> int | None:
    """Returns which edge version comes back with a served one; None if none does."""
    fingerprint = _read_manifest(restored).model_fingerprint
    for version in edges.hidden("retired"):
        path = edges.hidden_path(version, "retired")
        if version > edges.newest() and _read_manifest(path).serving_fingerprint == fingerprint:
            return version if fingerprint else None
    return None


def _read_manifest(version: Path) -> Manifest:
    """Returns the manifest of a version, an empty one for a folder that others put there."""
    try:
        return Manifest.read(version)
    except UserError:
        return Manifest(model_name="")


def _open_existing(base: Path) -> VersionFolder:
    if not base.is_dir():
        raise UserError(f"{base} does not exist: nothing was published there yet.")
    return VersionFolder(base)


def _open_for_publishing(base: Path) -> VersionFolder:
    if re.match(r"^[a-z0-9]+:/", str(base)):
        raise UserError(f"{base} is not a local folder; publish to one and copy from there.")
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{base} cannot be made a folder of versions: {error.strerror}.") from None
    return VersionFolder(base)
