"""Which pushed model a training learns from."""

from pathlib import Path

from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.manifest import Manifest
from pipeline.version_folder import VersionFolder


def with_found_teacher(settings: TrainSettings) -> tuple[TrainSettings, str]:
    """Finds the version that `teacher` means, and checks that its files are as they were pushed.

    Args:
      settings: `teacher` is used: a version's folder, a folder of versions, or none.

    Returns:
      The settings with the absolute path of one version, and the fingerprint of its files; the
      settings as they are and an empty text if there is no teacher.

    Raises:
      UserError: There is no pushed SavedModel, or its files have changed.
    """
    if settings.teacher is None:
        return settings, ""
    folder = Path(settings.teacher).absolute()
    versions = VersionFolder(folder)
    if versions.newest():
        folder = versions.path(versions.newest())
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"train.teacher, {settings.teacher}, is not the folder of a pushed SavedModel, nor one "
            "of its versions; give one such as workspace/serving/expression."
        )
    manifest = Manifest.read(folder)
    if problems := manifest.verify(folder):
        raise UserError(
            f"train.teacher, {folder}, is not as it was pushed: {problems[0]}; push it again."
        )
    return settings.model_copy(update={"teacher": str(folder)}), manifest.model_fingerprint
