"""Publishing a model as a new version, and the way back; all of it or none of it."""

import itertools
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import UserError
from pipeline.manifest import (
    DataSource,
    Manifest,
    model_fingerprint,
    record_files,
    verify_version,
)
from pipeline.version_folder import VersionFolder, flush


@dataclass(frozen=True)
class Published:
    """The outcome of `publish`.

    Attributes:
        version: the version that has the model's files.
        path: its folder.
        already_pushed: the newest version had this very model; nothing was published.
        rolled_back: this very model, or the served one that it was made from, was rolled back and
            nothing newer was published since; nothing was published, and `path` is the retired
            folder.
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


def publish(
    source: Path, base: Path, manifest: Manifest, keep: int, serving: Path | None = None
) -> Published:
    """Publishes a model folder as the next version.

    The files are copied to a hidden folder beside the versions, flushed to disk and checked, and
    renamed into sight in one step. The version is one more than the highest number ever used,
    rolled back versions included. A model that already is the newest version is not published
    again. One that was rolled back, with nothing published since, is not either: running the same
    pipeline once more must not undo an operator's decision (`restore_pair` does).

    Args:
        source: folder with the model's files; a `manifest.json` in it is left out.
        base: folder of versions; created if missing.
        manifest: what to record; version, created, files and model fingerprint are filled in.
        keep: how many versions stay, at least 1; rolled back ones are deleted.
        serving: of an edge model, the folder of versions of the served one that the manifest's
            `serving_fingerprint` names; it is not published if that is rolled back.

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
    with ExitStack() as locks:
        if serving and serving.is_dir():
            served = VersionFolder(serving)
            # Before the edge models' lock, as everywhere.
            locks.enter_context(served.locked())
            made_from = _find_published(served, manifest.serving_fingerprint)
            if made_from and made_from.rolled_back:
                return made_from
        locks.enter_context(folder.locked())
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


def refuse_to_displace(base: Path) -> None:
    """Keeps models of the drawn sample from being served in place of real ones.

    Gates can't: the sample's runs are a history of their own, measured against none of the others.

    Args:
        base: folder of versions that a run on the sample would push to.

    Raises:
        UserError: its newest version is known to come from other data.
    """
    folder = VersionFolder(base)
    newest = folder.newest()
    source = _read_manifest(folder.path(newest)).data if newest else DataSource()
    if source.source and not source.is_drawn_sample:
        raise UserError(
            f"{folder.path(newest)} is a model of {source.source}, and one of the drawn sample "
            "would be served in its place; name your data with --data, or another folder with "
            "--workspace."
        )


def rollback_pair(serving: Path, edge: Path) -> tuple[RolledBack, RolledBack | None]:
    """Rolls back the served model and the edge models, newest first, that were made from it.

    TensorFlow Serving serves the highest number it sees. Publishing the old files again under a
    new number would do too, but then one model has two numbers, answers that name their version
    no longer tell models apart, and the bad version stays visible to clients that ask for it.
    Renaming `<n>` to `.retired-<n>` drops exactly that version: the server loads the previous
    one before it unloads n, no number is ever used twice, and `restore_pair` can bring it back.

    What was visible before the newest served version was published is visible again: an edge
    model made from an earlier one (as when the newest failed the edge gate) stays, and where all
    edge models were made from the newest, none is left. They go first, so that a run killed between
    the steps can be repeated without going back twice, and the newest of them before the others,
    which it would otherwise have taken the place of when that is repeated.

    Returns:
        What happened to the served model, and to the edge model (None if it stays).

    Raises:
        UserError: there is no earlier served version, or its files are not the ones published.
    """
    served, edges = _open_existing(serving), VersionFolder(edge)
    with ExitStack() as locks:
        locks.enter_context(served.locked())
        outcome = _plan_rollback(served)
        edge_outcome = None
        if edge.is_dir():
            locks.enter_context(edges.locked())
            withdrawn = _made_from(edges, served.path(outcome.from_version))
            if withdrawn:
                left = [version for version in edges.visible() if version not in withdrawn]
                edge_outcome = RolledBack(withdrawn[0], left[-1] if left else None)
                edges.drop_superseded()
            for version in withdrawn:
                edges.hide(version, "retired")
        served.drop_superseded()
        served.hide(outcome.from_version, "retired")
    return outcome, edge_outcome


def restore_pair(serving: Path, edge: Path) -> tuple[int, int | None]:
    """Undoes the last `rollback_pair`: shows the retired version after the newest visible one.

    The edge models go first, as there.

    Returns:
        The served version that is now the newest, and the edge version that came back with it
        (None if none was made from it).

    Raises:
        UserError: nothing newer than the newest visible served version is retired.
    """
    served, edges = _open_existing(serving), VersionFolder(edge)
    with ExitStack() as locks:
        locks.enter_context(served.locked())
        version = _plan_restore(served)
        edge_versions: list[int] = []
        if edge.is_dir():
            locks.enter_context(edges.locked())
            edge_versions = _plan_edge_restore(edges, served.hidden_path(version, "retired"))
        for edge_version in edge_versions:
            edges.show(edge_version, "retired")
        served.show(version, "retired")
    return version, edge_versions[-1] if edge_versions else None


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


def _made_from(edges: VersionFolder, withdrawn: Path) -> list[int]:
    """Returns the newest edge versions, from the newest down, that are of this served one."""
    fingerprint = _read_manifest(withdrawn).model_fingerprint

    def is_made_from_it(version: int) -> bool:
        made_from = _read_manifest(edges.path(version)).serving_fingerprint
        return bool(fingerprint) and made_from == fingerprint

    return list(itertools.takewhile(is_made_from_it, reversed(edges.visible())))


def _plan_restore(folder: VersionFolder) -> int:
    later = [version for version in folder.hidden("retired") if version > folder.newest()]
    if not later:
        raise UserError(f"{folder.base} has no rolled back version to restore.")
    return later[0]


def _plan_edge_restore(edges: VersionFolder, restored: Path) -> list[int]:
    """Returns which edge versions come back with a served one, in order."""
    fingerprint = _read_manifest(restored).model_fingerprint
    return [
        version
        for version in edges.hidden("retired")
        if fingerprint
        and version > edges.newest()
        and _read_manifest(edges.hidden_path(version, "retired")).serving_fingerprint == fingerprint
    ]


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
