"""Executor of `TFLiteEvaluator`."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components.blessing import bless
from components.edge_model import CONVERTED_KEY, LABELS_FILE
from components.example_reader import labelled_batches, split_dataset
from components.tflite_evaluator.evaluation import compare
from components.tflite_evaluator.report import EdgeReport, missed_thresholds
from pipeline.features import EVAL_SPLIT


class Executor(base_executor.BaseExecutor):
    """Measures, reports and blesses."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report and the blessing."""
        edge_model = artifact_utils.get_single_instance(input_dict["edge_model"])
        if edge_model.get_int_custom_property(CONVERTED_KEY) != 1:
            report = EdgeReport(missed=["The model was not blessed, so it was not converted."])
        else:
            report = self._evaluate(input_dict, edge_model, exec_properties)
        report.write(artifact_utils.get_single_uri(output_dict["evaluation"]))
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        bless(blessing, report.blessed, report.missed, of=edge_model)
        logging.info("Edge model %s.", "blessed" if report.blessed else " ".join(report.missed))

    def _evaluate(
        self,
        input_dict: dict[str, list[Artifact]],
        edge_model: Artifact,
        exec_properties: dict[str, Any],
    ) -> EdgeReport:
        model = artifact_utils.get_single_instance(input_dict["model"])
        saved_model = path_utils.serving_model_path(
            model.uri, path_utils.is_old_model_artifact(model)
        )
        folder = Path(path_utils.serving_model_dir(edge_model.uri))
        labels = (folder / LABELS_FILE).read_text(encoding="utf-8").splitlines()
        dataset = split_dataset(input_dict["examples"], EVAL_SPLIT)
        report = compare(saved_model, folder, partial(labelled_batches, dataset), labels)
        missed = missed_thresholds(
            report,
            exec_properties["max_accuracy_drop"],
            exec_properties["max_probability_difference"],
        )
        return report.model_copy(update={"missed": missed})
