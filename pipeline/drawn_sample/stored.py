"""The drawn sample's archive in a workspace, drawn once for its settings and code."""

from collections.abc import Callable
from pathlib import Path

from pipeline.config import SampleSettings
from pipeline.drawn_sample import draw_archive
from pipeline.errors import UserError
from pipeline.fingerprint import code_fingerprint, value_fingerprint
from pipeline.manifest import Manifest
from pipeline.version_folder import VersionFolder

_PREFIX = "drawn-sample-"


def sample_path(folder: Path, settings: SampleSettings, size: int) -> Path:
    """Where the archive of these settings is kept, whether it is drawn or not."""
    code = code_fingerprint("pipeline.drawn_sample")
    digest = value_fingerprint([settings.model_dump(), size, code])
    return folder / f"{_PREFIX}{digest}.zip"


def stored_sample(
    folder: Path, settings: SampleSettings, size: int, on_draw: Callable[[], None]
) -> Path:
    """Finds the archive, or draws it.

    Args:
      folder: Where it is kept, beside those of other settings, which a compiled pipeline may name.
      settings: How many faces, and the seed.
      size: Height and width of the faces, in pixels.
      on_draw: Called before it is drawn.

    Returns:
      Path of the zip.
    """
    path = sample_path(folder, settings, size)
    if not path.exists():
        on_draw()
        draw_archive(
            path,
            train_per_class=settings.train_per_class,
            eval_per_class=settings.eval_per_class,
            seed=settings.seed,
            size=size,
        )
    return path


def refuse_to_displace(served: Path) -> None:
    """Keeps models of the sample from being served in place of real ones.

    Gates can't: the sample's runs are a history of their own, measured against none of the others.

    Args:
      served: Folder of the versions that a run on the sample would push to.

    Raises:
      UserError: Its newest version is known to come from other data.
    """
    versions = VersionFolder(served)
    newest = versions.newest()
    if not newest:
        return
    try:
        source = Manifest.read(versions.path(newest)).data.source
    except UserError:  # Somebody else's folder, which tells nothing of its data.
        return
    if source and not source.startswith(_PREFIX):
        raise UserError(
            f"{versions.path(newest)} is a model of {source}, and one of the drawn sample would be "
            "served in its place; name your data with --data, or another folder with --workspace."
        )
