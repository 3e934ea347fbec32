"""Which pushed model a training learns from."""

from pathlib import Path

from components import edge_model
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.errors import UserError
from pipeline.manifest import Manifest
from pipeline.version_folder import VersionFolder


def with_found_teacher(settings: TrainSettings) -> tuple[TrainSettings, str]:
    """Finds the version that `teacher` means, and checks that its files are as they were pushed.

    Args:
      settings: `teacher` is used: a version's folder, a folder of versions, or none. A relative
        path is of the working directory, or, if nothing is there, of the project.

    Returns:
      The settings with the path of one version, and the fingerprint of its files; the settings as
      they are and an empty text if there is no teacher. The path is absolute, or, within the
      project, relative to that, which may lie elsewhere where the training runs.

    Raises:
      UserError: There is no pushed model, or its files have changed.
    """
    if settings.teacher is None:
        return settings, ""
    folder = Path(settings.teacher).absolute()
    if not folder.exists():
        folder = REPOSITORY / settings.teacher
    versions = VersionFolder(folder)
    if versions.newest():
        folder = versions.path(versions.newest())
    if not any((folder / name).is_file() for name in ("saved_model.pb", edge_model.INT8_FILE)):
        raise UserError(
            f"train.teacher, {settings.teacher}, is not the folder of a pushed SavedModel or int8 "
            "TFLite model, nor one of its versions; give one such as workspace/serving/expression."
        )
    manifest = Manifest.read(folder)
    if problems := manifest.verify(folder, allow_unlisted=True):
        raise UserError(
            f"train.teacher, {folder}, is not as it was pushed: {problems[0]}; push it again."
        )
    if folder.is_relative_to(REPOSITORY):
        folder = folder.relative_to(REPOSITORY)
    return settings.model_copy(update={"teacher": str(folder)}), manifest.model_fingerprint
