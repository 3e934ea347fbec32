"""Executor of `RobustnessReport`."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components.blessing import bless
from components.example_reader import sample_labelled, split_dataset
from components.robustness_report.measurement import measure
from components.robustness_report.picture import plot
from components.robustness_report.report import PICTURE_FILE, RobustnessResults
from pipeline.features import EVAL_SPLIT
from pipeline.signatures import read_labels

_SEED = 1

_Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Draws, changes, asks, reports and blesses."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the report, its picture and the blessing."""
        bounds = {"max_drop": exec_properties["max_drop"], "gate": bool(exec_properties["gate"])}
        report = _measure(input_dict, exec_properties["num_images"]).model_copy(update=bounds)
        folder = artifact_utils.get_single_uri(output_dict["evaluation"])
        report.write(folder)
        if report.results:
            plot(Path(folder) / PICTURE_FILE, report)
        for sentence in report.beyond:
            logging.warning("%s", sentence)
        bless(
            artifact_utils.get_single_instance(output_dict["blessing"]),
            not report.missed,
            report.missed,
            of=artifact_utils.get_single_instance(input_dict["model"]),
        )


def _measure(input_dict: _Artifacts, num_images: int) -> RobustnessResults:
    blessings = input_dict.get("model_blessing")
    if blessings and not model_utils.is_model_blessed(
        artifact_utils.get_single_instance(blessings)
    ):
        return RobustnessResults(not_measured="The model was not blessed, so it was not measured.")
    model = artifact_utils.get_single_instance(input_dict["model"])
    folder = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["pixels"]
    side = int(signature.structured_input_signature[1]["pixels"].shape[1])
    dataset = split_dataset(input_dict["examples"], EVAL_SPLIT)
    pixels, names = sample_labelled(dataset, num_images, side, _SEED)
    index = {label: position for position, label in enumerate(read_labels(folder))}
    known = np.array([name in index for name in names], dtype=bool)
    if not known.any():
        return RobustnessResults(
            not_measured=f"The {EVAL_SPLIT} split has no example with a label that the model knows."
        )

    def predict(batch: np.ndarray) -> np.ndarray:
        return signature(pixels=tf.constant(batch))["probabilities"].numpy().argmax(axis=1)

    truth = np.array([index[name] for name in names if name in index])
    return measure(predict, pixels[known], truth)
