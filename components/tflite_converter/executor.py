"""Executor of `TFLiteConverter`."""

import logging
from pathlib import Path
from typing import Any

from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components.edge_model import CONVERTED_KEY, FLOAT_FILE, INT8_FILE, LABELS_FILE
from components.example_reader import sample_images, split_dataset
from components.tflite_converter.conversion import convert_float, convert_int8, freeze_pixels
from pipeline.errors import UserError
from pipeline.features import TRAIN_SPLIT
from pipeline.signatures import read_labels


class Executor(base_executor.BaseExecutor):
    """Converts the blessed model."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the TFLite models and labels, or nothing if the model was not blessed.

        Raises:
            UserError: the train split has no examples.
        """
        edge_model = artifact_utils.get_single_instance(output_dict["edge_model"])
        blessing = input_dict.get("model_blessing")
        if blessing and not model_utils.is_model_blessed(blessing[0]):
            logging.info("The model was not blessed; nothing is converted.")
            edge_model.set_int_custom_property(CONVERTED_KEY, 0)
            return
        model = artifact_utils.get_single_instance(input_dict["model"])
        saved_model = path_utils.serving_model_path(
            model.uri, path_utils.is_old_model_artifact(model)
        )
        frozen = freeze_pixels(saved_model, for_devices=True)
        images = sample_images(
            split_dataset(input_dict["examples"], TRAIN_SPLIT),
            count=exec_properties["representative_images"],
            size=frozen.inputs[0].shape[1],
            seed=exec_properties["seed"],
        )
        if not len(images):
            raise UserError("The train split is empty; the int8 model needs images to calibrate.")
        folder = Path(path_utils.serving_model_dir(edge_model.uri))
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / FLOAT_FILE, convert_float(frozen))
        _write(folder / INT8_FILE, convert_int8(frozen, images))
        labels = "".join(f"{label}\n" for label in read_labels(saved_model))
        _write(folder / LABELS_FILE, labels.encode())
        edge_model.set_int_custom_property(CONVERTED_KEY, 1)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)
