"""The whole pipeline as a job of Kubeflow Pipelines, and its file."""

from pathlib import Path
from typing import Any

import tfx.v1  # noqa: F401  (before anything that imports TensorFlow Data Validation)
import yaml

from orchestration.kubeflow.specification import Job, compile_job
from pipeline.config import Settings
from pipeline.drawn_sample.stored import sample_path
from pipeline.pipeline import create_pipeline
from pipeline.workspace import Workspace


def compile_pipeline(settings: Settings, data: str | None) -> Job:
    """Compiles the pipeline of `pipeline.pipeline`.

    Args:
      settings: All settings.
      data: Path of the images as containers see it; none is a sample, drawn in a container.

    Raises:
      UserError: Kubeflow Pipelines can't run it.
    """
    workspace = Workspace(Path(settings.kubeflow.workspace))
    sample = {
        "folder": str(workspace.sample),
        "settings": settings.sample.model_dump(),
        "size": settings.image.size,
    }
    pipeline = create_pipeline(
        settings,
        workspace,
        data or str(sample_path(workspace.sample, settings.sample, settings.image.size)),
        settings.infer.data,
        drawn=data is None,
    )
    return compile_job(pipeline, settings.kubeflow, sample if data is None else None)


def write(job: Job, path: Path) -> None:
    """Writes the two documents that `kfp` and the API take as one file.

    Raises:
      OSError: The file can't be written.
    """
    text = yaml.dump_all([job.pipeline, job.platform], Dumper=_Dumper, sort_keys=True, width=100)
    path.write_text(text, encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice; readers differ on YAML's aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
