"""Executor of `AtomicPusher`."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tensorflow.core.protobuf import saved_model_pb2
from tfx.components.pusher import executor as tfx_executor
from tfx.components.util import model_utils
from tfx.types import Artifact, artifact_utils
from tfx.utils import path_utils

from components.edge_model import LABELS_FILE
from components.evaluation_reader import read_metrics
from components.image_example_gen.report import read_report
from components.tflite_evaluator.report import EdgeReport
from pipeline.errors import UserError
from pipeline.fingerprint import value_fingerprint
from pipeline.manifest import DataSource, Manifest, model_fingerprint, record_files
from pipeline.publishing import publish, refuse_to_displace
from pipeline.train_record import read_train_settings

ALREADY_PUSHED_KEY = "already_pushed"

_Artifacts = dict[str, list[Artifact]]


class Executor(tfx_executor.Executor):
    """Publishes what is blessed; blessings and output properties are handled as by TFX's Pusher."""

    def Do(
        self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Publishes the model or, where there is one, the edge model.

        Raises:
            UserError: the folder of versions cannot be written to, the manifest's fields are not
                those of a manifest, or a model of the drawn sample would be served in place of a
                real one.
        """
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        base = Path(exec_properties["base_directory"])
        serving = exec_properties.get("serving_directory")
        manifest = _draft_manifest(input_dict, exec_properties)
        if manifest.data.is_drawn_sample:
            refuse_to_displace(base)
        published = publish(
            _folder_to_push(input_dict),
            base,
            manifest,
            exec_properties["keep_versions"],
            Path(serving) if serving else None,
        )
        if published.rolled_back:
            logging.warning("This model was rolled back and is not pushed: %s.", published.path)
            self._MarkNotPushed(pushed_model)
            return
        shutil.copytree(published.path, pushed_model.uri, dirs_exist_ok=True)
        self._MarkPushed(
            pushed_model,
            pushed_destination=str(published.path),
            pushed_version=str(published.version),
        )
        pushed_model.set_int_custom_property(ALREADY_PUSHED_KEY, int(published.already_pushed))

    def CheckBlessing(self, input_dict: _Artifacts) -> bool:
        """Returns whether every blessing that there is, of the project's own too, is positive."""
        for key in ("edge_blessing", "robustness_blessing"):
            given = input_dict.get(key)
            if given and not model_utils.is_model_blessed(given[0]):
                logging.info("The %s is negative; nothing is pushed.", key.replace("_", " "))
                return False
        return super().CheckBlessing(input_dict)


def _folder_to_push(input_dict: _Artifacts) -> Path:
    edge_model = input_dict.get("edge_model")
    if edge_model:
        return Path(path_utils.serving_model_dir(edge_model[0].uri))
    return _saved_model(input_dict)


def _saved_model(input_dict: _Artifacts) -> Path:
    model = artifact_utils.get_single_instance(input_dict["model"])
    is_old = path_utils.is_old_model_artifact(model)
    return Path(path_utils.serving_model_path(model.uri, is_old))


def _draft_manifest(input_dict: _Artifacts, exec_properties: dict[str, Any]) -> Manifest:
    """Gathers what the inputs tell of the model."""
    saved_model = _saved_model(input_dict)
    fields = json.loads(exec_properties["manifest_json"])
    fields |= {
        "model_name": exec_properties["model_name"],
        "labels": (saved_model / "assets" / LABELS_FILE).read_text(encoding="utf-8").splitlines(),
        "input_shape": _input_shape(saved_model),
        "metrics": _metrics(input_dict),
    }
    if input_dict.get("model_run"):
        used = read_train_settings(Path(input_dict["model_run"][0].uri))
        fields["settings"] = {**fields.get("settings", {}), "train": used}
        fields["settings_fingerprint"] = value_fingerprint(fields["settings"])
    if input_dict.get("edge_model"):
        fields["kind"] = "edge"
        fields["serving_fingerprint"] = model_fingerprint(record_files(saved_model))
    if input_dict.get("ingest_report"):
        fields["data"] = _data_source(Path(input_dict["ingest_report"][0].uri))
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        raise UserError(f"manifest_json does not fit a manifest: {error.errors()[0]}.") from None


def _metrics(input_dict: _Artifacts) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if input_dict.get("evaluation"):
        metrics |= read_metrics(input_dict["evaluation"][0].uri)
    if input_dict.get("edge_evaluation"):
        metrics |= EdgeReport.read(input_dict["edge_evaluation"][0].uri).metrics()
    return metrics


def _data_source(folder: Path) -> DataSource:
    report = read_report(folder)
    counts = {"read": report.read, "accepted": report.accepted, "rejected": report.rejected}
    counts |= {split: part.accepted for split, part in report.splits.items()}
    return DataSource(
        source=report.source.name, fingerprint=report.source.fingerprint, counts=counts
    )


def _input_shape(saved_model: Path) -> list[int]:
    """Returns height, width and channels of the signature `pixels`, without loading the model."""
    model = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    shape = model.meta_graphs[0].signature_def["pixels"].inputs["pixels"].tensor_shape
    return [dimension.size for dimension in shape.dim[1:]]
