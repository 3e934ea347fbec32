"""The drawn sample's archive in a workspace, drawn once for its settings and code."""

from collections.abc import Callable
from pathlib import Path

from pipeline.config import SampleSettings
from pipeline.drawn_sample import draw_archive
from pipeline.fingerprint import code_fingerprint, value_fingerprint
from pipeline.manifest import DRAWN_SAMPLE_PREFIX


def sample_path(folder: Path, settings: SampleSettings, size: int) -> Path:
    """Where the archive of these settings is kept, whether it is drawn or not."""
    code = code_fingerprint("pipeline.drawn_sample")
    digest = value_fingerprint([settings.model_dump(), size, code])
    return folder / f"{DRAWN_SAMPLE_PREFIX}{digest}.zip"


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
