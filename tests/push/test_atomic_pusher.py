"""The pusher as TFX runs it: blessings and artifacts in, a published version out."""

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.types import Artifact, Channel, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import (
    EdgeBlessing,
    EdgeEvaluation,
    EdgeModel,
    IngestReport,
    RobustnessBlessing,
)
from components.atomic_pusher.component import AtomicPusher
from components.atomic_pusher.executor import Executor
from components.image_example_gen.report import SourceInfo, build_report, write_report
from components.tflite_evaluator.report import EdgeReport, TFLiteResult
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.fingerprint import value_fingerprint
from pipeline.manifest import Manifest, verify_version
from pipeline.publishing import publish, rollback_pair
from pipeline.train_record import write_train_settings
from pipeline.version_folder import VersionFolder
from tests.edge import tiny_model


def make(artifact: Artifact, folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact.uri = str(folder)
    return artifact


def blessing(artifact: Artifact, folder: Path, blessed: bool) -> Artifact:
    make(artifact, folder).set_int_custom_property("blessed", int(blessed))
    return artifact


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    artifact = make(standard_artifacts.Model(), tmp_path_factory.mktemp("model"))
    tiny_model.export(tiny_model.train(), Path(path_utils.serving_model_dir(artifact.uri)))
    return artifact


def push(base: Path, folder: Path, manifest_json: str = "{}", **inputs: Artifact) -> Artifact:
    pushed = make(standard_artifacts.PushedModel(), folder / "pushed")
    properties: dict[str, Any] = {
        "base_directory": str(base),
        "model_name": "stripes",
        "keep_versions": 3,
        "manifest_json": manifest_json,
    }
    Executor().Do(
        {key: [artifact] for key, artifact in inputs.items()},
        {"pushed_model": [pushed]},
        properties,
    )
    return pushed


def test_blessed_model_is_published_and_recorded(model: Artifact, tmp_path: Path) -> None:
    source = SourceInfo(kind="zip", name="archive.zip", bytes=9, fingerprint="f1")
    report = build_report(0, source, "folders", ["train", "eval"], [])
    ingest = make(IngestReport(), tmp_path / "ingest")
    write_report(report, tmp_path / "ingest")
    context = {
        "thresholds": {"evaluate.accuracy": 0.6},
        "settings": {"train": {"epochs": 3}},
        "settings_fingerprint": "s1",
        "code_fingerprint": "c1",
    }
    pushed = push(
        tmp_path / "base",
        tmp_path,
        json.dumps(context),
        model=model,
        model_blessing=blessing(standard_artifacts.ModelBlessing(), tmp_path / "b", True),
        infra_blessing=blessing(standard_artifacts.InfraBlessing(), tmp_path / "i", True),
        ingest_report=ingest,
    )
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == "1"
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "base" / "1")
    assert verify_version(tmp_path / "base" / "1") == []
    assert verify_version(Path(pushed.uri)) == []
    manifest = Manifest.read(tmp_path / "base" / "1")
    assert manifest.kind == "serving"
    assert manifest.labels == tiny_model.LABELS
    assert manifest.input_shape == [48, 48, 1]
    assert manifest.data.source == "archive.zip"
    assert manifest.data.counts == {"read": 0, "accepted": 0, "rejected": 0, "train": 0, "eval": 0}
    assert {key: getattr(manifest, key) for key in context} == context


def test_the_manifest_tells_the_train_settings_that_a_search_found(
    model: Artifact, tmp_path: Path
) -> None:
    model_run = make(standard_artifacts.ModelRun(), tmp_path / "run")
    write_train_settings(tmp_path / "run", TrainSettings(dropout=0.125), "")
    context = {"settings": {"train": {"dropout": 0.3}, "image": {"size": 48}}}
    push(tmp_path / "base", tmp_path, json.dumps(context), model=model, model_run=model_run)
    manifest = Manifest.read(tmp_path / "base" / "1")
    assert manifest.settings["train"]["dropout"] == 0.125
    assert manifest.settings["image"] == {"size": 48}
    assert manifest.settings_fingerprint == value_fingerprint(manifest.settings)


@pytest.mark.parametrize(
    "refused", ["model_blessing", "infra_blessing", "robustness_blessing", "edge_blessing"]
)
def test_nothing_is_pushed_unless_every_blessing_is_positive(
    model: Artifact, tmp_path: Path, refused: str
) -> None:
    types = {
        "model_blessing": standard_artifacts.ModelBlessing,
        "infra_blessing": standard_artifacts.InfraBlessing,
        "robustness_blessing": RobustnessBlessing,
        "edge_blessing": EdgeBlessing,
    }
    blessings = {key: blessing(t(), tmp_path / key, key != refused) for key, t in types.items()}
    pushed = push(tmp_path / "base", tmp_path, model=model, **blessings)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "base").exists()


def test_same_model_is_not_pushed_twice(model: Artifact, tmp_path: Path) -> None:
    push(tmp_path / "base", tmp_path / "first", model=model)
    again = push(tmp_path / "base", tmp_path / "second", model=model)
    assert again.get_int_custom_property("already_pushed") == 1
    assert again.get_string_custom_property("pushed_version") == "1"
    assert VersionFolder(tmp_path / "base").visible() == [1]


def ingested(name: str, folder: Path) -> Artifact:
    source = SourceInfo(kind="zip", name=name, bytes=9, fingerprint="f1")
    artifact = make(IngestReport(), folder)
    write_report(build_report(0, source, "folders", ["train", "eval"], []), folder)
    return artifact


def test_a_model_of_the_drawn_sample_is_not_pushed_over_a_real_one(
    model: Artifact, tmp_path: Path
) -> None:
    real = ingested("archive.zip", tmp_path / "real")
    drawn = ingested("drawn-sample-0123456789abcdef.zip", tmp_path / "drawn")
    base = tmp_path / "base"
    push(base, tmp_path / "first", model=model, ingest_report=real)
    with pytest.raises(UserError, match=r"1 is a model of archive\.zip"):
        push(base, tmp_path / "second", model=model, ingest_report=drawn)
    assert VersionFolder(base).visible() == [1]


def test_rolled_back_model_is_not_pushed_again(model: Artifact, tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "saved_model.pb").write_text("older")
    publish(tmp_path / "older", tmp_path / "base", Manifest(model_name="stripes"), keep=3)
    push(tmp_path / "base", tmp_path / "first", model=model)
    rollback_pair(tmp_path / "base", tmp_path / "edge")
    again = push(tmp_path / "base", tmp_path / "second", model=model)
    assert again.get_int_custom_property("pushed") == 0
    assert VersionFolder(tmp_path / "base").visible() == [1]


def test_edge_model_names_the_model_it_was_made_from(model: Artifact, tmp_path: Path) -> None:
    edge_model = make(EdgeModel(), tmp_path / "edge")
    folder = Path(path_utils.serving_model_dir(edge_model.uri))
    folder.mkdir()
    (folder / "model_int8.tflite").write_bytes(b"TFL3")
    evaluation = make(EdgeEvaluation(), tmp_path / "evaluation")
    result = TFLiteResult(
        accuracy=0.9,
        agreement=1.0,
        max_probability_difference=0.01,
        bytes=4,
        milliseconds_per_image=0.1,
    )
    EdgeReport(examples=10, saved_model_accuracy=0.9, int8=result).write(evaluation.uri)
    push(tmp_path / "serving", tmp_path / "first", model=model)
    push(
        tmp_path / "edge_base",
        tmp_path / "second",
        model=model,
        edge_model=edge_model,
        edge_blessing=blessing(EdgeBlessing(), tmp_path / "b", True),
        edge_evaluation=evaluation,
    )
    edge = Manifest.read(tmp_path / "edge_base" / "1")
    assert edge.kind == "edge"
    assert edge.serving_fingerprint == Manifest.read(tmp_path / "serving" / "1").model_fingerprint
    assert list(edge.files) == ["model_int8.tflite"]
    assert edge.metrics["int8_accuracy"] == 0.9


def test_unknown_manifest_field_is_one_clear_sentence(model: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="manifest_json does not fit"):
        push(tmp_path / "base", tmp_path, '{"tresholds": {}}', model=model)


def test_component_takes_the_channels_of_the_pipeline() -> None:
    pusher = AtomicPusher(
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        edge_model=Channel(type=EdgeModel),
        edge_blessing=Channel(type=EdgeBlessing),
        ingest_report=Channel(type=IngestReport),
        base_directory="serving/stripes",
        model_name="stripes",
    )
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
