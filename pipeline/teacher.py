"""Which pushed model a training learns from."""

from pathlib import Path

from components import edge_model
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.errors import UserError
from pipeline.manifest import Manifest
from pipeline.version_folder import VersionFolder


def model_file(version: Path) -> str | None:
    """The file of a version that makes it a teacher, or none: a SavedModel's or an int8 model's."""
    names = ("saved_model.pb", edge_model.INT8_FILE)
    return next((name for name in names if (version / name).is_file()), None)


def with_found_teacher(settings: TrainSettings) -> tuple[TrainSettings, str]:
    """Finds the version that `teacher` means, and checks that its files are as they were pushed.

    Args:
      settings: `distillation_temperature` and `teacher` are used, a version's folder, a folder of
        versions, or none. A relative path is of the working directory, or, if nothing is there, of
        the project.

    Returns:
      The settings with the path of one version, and the fingerprint of its files; the settings as
      they are and an empty text if there is no teacher. The path is absolute, or, within the
      project, relative to that, which may lie elsewhere where the training runs.

    Raises:
      UserError: There is no pushed model, it can't be read, its files have changed, or it can't be
        softened.
    """
    if settings.teacher is None:
        return settings, ""
    try:
        folder = _version(settings.teacher)
        model = model_file(folder)
    except OSError as error:
        raise UserError(
            f"train.teacher, {settings.teacher}, can't be read: {error.strerror}."
        ) from None
    if model is None:
        raise UserError(
            f"train.teacher, {settings.teacher}, is not the folder of a pushed SavedModel or int8 "
            "TFLite model, nor one of its versions; give one such as workspace/serving/expression."
        )
    if model == edge_model.INT8_FILE and settings.distillation_temperature != 1.0:
        raise UserError(
            f"train.teacher, {settings.teacher}, is an int8 model, whose probabilities in steps of "
            "1/256 cannot be softened; set train.distillation_temperature=1, or give a SavedModel."
        )
    manifest = Manifest.read(folder)
    problems = manifest.verify(folder, allow_unlisted=True)
    if model not in manifest.files:
        problems.append(f"{model} is not listed")
    if problems:
        raise UserError(
            f"train.teacher, {folder}, is not as it was pushed: {problems[0]}; push it again."
        )
    if folder.is_relative_to(REPOSITORY):
        folder = folder.relative_to(REPOSITORY)
    return settings.model_copy(update={"teacher": str(folder)}), manifest.model_fingerprint


def _version(teacher: str) -> Path:
    """The folder of the version that a path means, if there is one."""
    folder = Path(teacher).absolute()
    if not folder.exists():
        folder = REPOSITORY / teacher
    versions = VersionFolder(folder)
    newest = versions.newest()
    return versions.path(newest) if newest else folder


def check_teacher(settings: TrainSettings, fingerprint: str) -> None:
    """Checks, where a training runs, that its teacher is the one that it was compiled with.

    Args:
      settings: As `with_found_teacher` gave them.
      fingerprint: As that gave it.

    Raises:
      UserError: Another model is in its place here, or none.
    """
    if settings.teacher is None:
        return
    # Not of the working directory, which may be another one here.
    here = settings.model_copy(update={"teacher": str(REPOSITORY / settings.teacher)})
    _, found = with_found_teacher(here)
    if found != fingerprint:
        raise UserError(
            f"train.teacher, {settings.teacher}, is another model here than where the pipeline was "
            "compiled; put the same one there, or compile the pipeline again."
        )
