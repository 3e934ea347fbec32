"""Executor of `ServingCheck`."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components.example_reader import draw, split_dataset
from components.serving_check.check import Bounds, check
from components.serving_check.report import NOT_BLESSED_MODEL, ServingReport
from pipeline.features import EVAL_SPLIT, IMAGE_KEY

BLESSED_KEY = "blessed"
BLESSED_FILE = "INFRA_BLESSED"
NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"
_SEED = 1

_Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Blesses a model that can be served; property and files are TFX's InfraValidator's."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Checks the model and writes the blessing with its report."""
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        report = _report(input_dict, exec_properties)
        for reason in report.reasons:
            logging.warning("%s", reason)
        report.write(blessing.uri)
        name = BLESSED_FILE if report.blessed else NOT_BLESSED_FILE
        io_utils.write_string_file(str(Path(blessing.uri) / name), "")
        blessing.set_int_custom_property(BLESSED_KEY, int(report.blessed))


def _report(input_dict: _Artifacts, exec_properties: dict[str, Any]) -> ServingReport:
    blessings = input_dict.get("model_blessing")
    if blessings and not model_utils.is_model_blessed(
        artifact_utils.get_single_instance(blessings)
    ):
        return ServingReport(blessed=False, reasons=[NOT_BLESSED_MODEL])
    images = sample_images(input_dict["examples"], exec_properties["num_images"])
    if not images:
        reason = f"The {EVAL_SPLIT} split has no image to ask about."
        return ServingReport(blessed=False, reasons=[reason])
    model = artifact_utils.get_single_instance(input_dict["model"])
    source = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    bounds = Bounds(
        float(exec_properties["max_latency_ms"]),
        int(exec_properties["max_memory_mb"]),
        float(exec_properties["startup_timeout_s"]),
    )
    if fileio.exists(source) and Path(source).is_dir():
        return check(source, images, bounds)
    with tempfile.TemporaryDirectory() as folder:
        # The artifact is in an object store: the server reads a local copy.
        local = str(Path(folder) / "model")
        io_utils.copy_dir(source, local)
        return check(local, images, bounds)


def sample_images(examples: list[Artifact], count: int) -> list[bytes]:
    """Encoded images of the eval split, the same ones each time."""
    return [
        tf.train.Example.FromString(record).features.feature[IMAGE_KEY].bytes_list.value[0]
        for record in draw(split_dataset(examples, EVAL_SPLIT), count, _SEED)
    ]
