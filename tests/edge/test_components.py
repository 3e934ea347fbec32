"""The TFLite components as TFX runs them: artifacts and parameters in, artifacts out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tfx.types import Artifact, Channel, standard_artifacts
from tfx.types.artifact_utils import encode_split_names
from tfx.utils import path_utils

from components.artifacts import EdgeBlessing, EdgeEvaluation, EdgeModel
from components.example_reader import labelled_batches, sample_images, split_dataset
from components.tflite_converter.component import TFLiteConverter
from components.tflite_converter.executor import Executor as ConverterExecutor
from components.tflite_evaluator.component import TFLiteEvaluator
from components.tflite_evaluator.evaluation import TFLiteModel
from components.tflite_evaluator.executor import Executor as EvaluatorExecutor
from components.tflite_evaluator.report import EdgeReport
from pipeline.errors import UserError
from tests.edge import tiny_model


def make(artifact: Artifact, folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact.uri = str(folder)
    return artifact


def blessing(folder: Path, blessed: bool) -> Artifact:
    artifact = make(standard_artifacts.ModelBlessing(), folder)
    artifact.set_int_custom_property("blessed", int(blessed))
    return artifact


def convert(model: Artifact, examples: Artifact, folder: Path, blessed: bool = True) -> Artifact:
    edge_model = make(EdgeModel(), folder / "edge_model")
    inputs = {
        "model": [model],
        "examples": [examples],
        "model_blessing": [blessing(folder / "blessing", blessed)],
    }
    properties = {"representative_images": 60, "seed": 0, "code_fingerprint": ""}
    ConverterExecutor().Do(inputs, {"edge_model": [edge_model]}, properties)
    return edge_model


@pytest.fixture(scope="module")
def edge_model(
    model: Artifact, examples: Artifact, tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    return convert(model, examples, tmp_path_factory.mktemp("converted"))


def evaluate(
    model: Artifact, edge_model: Artifact, examples: Artifact, folder: Path, **changes: Any
) -> tuple[Artifact, EdgeReport]:
    outputs = {
        "blessing": [make(EdgeBlessing(), folder / "edge_blessing")],
        "evaluation": [make(EdgeEvaluation(), folder / "evaluation")],
    }
    properties = {"max_accuracy_drop": 0.05, "max_probability_difference": 1e-3, **changes}
    inputs = {"model": [model], "edge_model": [edge_model], "examples": [examples]}
    EvaluatorExecutor().Do(inputs, outputs, properties)
    return outputs["blessing"][0], EdgeReport.read(outputs["evaluation"][0].uri)


def test_converter_writes_both_models_and_the_labels(edge_model: Artifact) -> None:
    folder = Path(path_utils.serving_model_dir(edge_model.uri))
    assert sorted(path.name for path in folder.iterdir()) == [
        "labels.txt",
        "model_float32.tflite",
        "model_int8.tflite",
    ]
    assert (folder / "labels.txt").read_text() == "diagonal\nhorizontal\nvertical\n"
    assert edge_model.get_int_custom_property("converted") == 1


def test_model_that_is_not_blessed_is_neither_converted_nor_blessed(
    model: Artifact, examples: Artifact, tmp_path: Path
) -> None:
    empty = convert(model, examples, tmp_path, blessed=False)
    assert list(Path(empty.uri).iterdir()) == []
    result, report = evaluate(model, empty, examples, tmp_path)
    assert result.get_int_custom_property("blessed") == 0
    assert report.missed == ["The model was not blessed, so it was not converted."]


def test_good_int8_model_is_blessed(
    model: Artifact, edge_model: Artifact, examples: Artifact, tmp_path: Path
) -> None:
    result, report = evaluate(model, edge_model, examples, tmp_path)
    assert result.get_int_custom_property("blessed") == 1
    assert [path.name for path in Path(result.uri).iterdir()] == ["BLESSED"]
    assert report.examples == 120
    assert report.saved_model_accuracy is not None
    assert report.saved_model_accuracy > 0.9
    assert report.float32 is not None
    assert report.float32.agreement == 1.0
    assert report.int8 is not None
    assert report.int8.bytes < report.float32.bytes


def test_answers_that_are_no_numbers_miss_the_gate(
    model: Artifact,
    edge_model: Artifact,
    examples: Artifact,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_numbers(_: TFLiteModel, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 3), np.nan, np.float32)

    monkeypatch.setattr(TFLiteModel, "predict", no_numbers)
    result, report = evaluate(model, edge_model, examples, tmp_path)
    assert result.get_int_custom_property("blessed") == 0
    assert report.float32 is not None
    assert report.float32.max_probability_difference == 1.0
    assert report.missed[0].startswith("The float32 TFLite model's probabilities differ")


def test_edge_model_of_the_part_for_devices_is_judged_by_the_whole_models_accuracy(
    examples: Artifact, tmp_path: Path
) -> None:
    def edge_report(model: keras.Model, device_model: keras.Model, folder: Path) -> EdgeReport:
        artifact = make(standard_artifacts.Model(), folder)
        target = Path(path_utils.serving_model_dir(artifact.uri))
        tiny_model.export(model, target, device_model)
        return evaluate(artifact, convert(artifact, examples, folder), examples, folder)[1]

    trained = tiny_model.train()
    # Sharper, so that its probabilities are others and its classes the same.
    part = keras.Sequential([trained, keras.layers.Rescaling(2.0)])
    report = edge_report(trained, part, tmp_path / "good")
    assert report.blessed
    assert report.float32 is not None
    assert report.float32.agreement == 1.0
    untrained = keras.models.clone_model(trained)
    (missed,) = edge_report(trained, untrained, tmp_path / "bad").missed
    assert missed.startswith("The int8 TFLite model's accuracy")


def test_edge_model_of_another_model_is_not_blessed(
    model: Artifact, examples: Artifact, tmp_path: Path
) -> None:
    other = make(standard_artifacts.Model(), tmp_path / "other")
    untrained = keras.models.clone_model(tiny_model.train())
    tiny_model.export(untrained, Path(path_utils.serving_model_dir(other.uri)))
    edge_model = convert(other, examples, tmp_path)
    result, report = evaluate(model, edge_model, examples, tmp_path)
    assert result.get_int_custom_property("blessed") == 0
    assert [path.name for path in Path(result.uri).iterdir()] == ["NOT_BLESSED"]
    assert [sentence.split("'")[0] for sentence in report.missed] == [
        "The float32 TFLite model",
        "The int8 TFLite model",
    ]


def test_examples_of_unknown_classes_are_left_out_and_counted(
    model: Artifact, edge_model: Artifact, tmp_path: Path
) -> None:
    images, _ = tiny_model.draw(6, seed=5)
    artifact = make(standard_artifacts.Examples(), tmp_path / "examples")
    artifact.split_names = encode_split_names(["eval"])
    names = ["diagonal", "horizontal", "vertical", "checked", "dotted", "plain"]
    tiny_model.write_examples(tmp_path / "examples" / "Split-eval", images, names)
    _, report = evaluate(model, edge_model, artifact, tmp_path)
    assert (report.examples, report.unknown_labels) == (3, 3)


def test_eval_split_without_a_known_class_is_not_blessed(
    model: Artifact, edge_model: Artifact, tmp_path: Path
) -> None:
    artifact = make(standard_artifacts.Examples(), tmp_path / "examples")
    artifact.split_names = encode_split_names(["eval"])
    images, _ = tiny_model.draw(2, seed=5)
    tiny_model.write_examples(tmp_path / "examples" / "Split-eval", images, ["dotted", "plain"])
    result, report = evaluate(model, edge_model, artifact, tmp_path)
    assert result.get_int_custom_property("blessed") == 0
    assert "no example with a label" in report.missed[0]


def test_empty_train_split_is_one_clear_sentence(model: Artifact, tmp_path: Path) -> None:
    artifact = make(standard_artifacts.Examples(), tmp_path / "examples")
    artifact.split_names = encode_split_names(["train"])
    tiny_model.write_examples(tmp_path / "examples" / "Split-train", np.zeros((0, 48, 48, 1)), [])
    with pytest.raises(UserError, match="train split is empty"):
        convert(model, artifact, tmp_path)


def test_sample_is_seeded_and_spread_over_the_split(examples: Artifact) -> None:
    dataset = split_dataset([examples], "train")
    first = sample_images(dataset, 40, tiny_model.SIZE, seed=0)
    assert first.shape == (40, tiny_model.SIZE, tiny_model.SIZE, 1)
    np.testing.assert_array_equal(first, sample_images(dataset, 40, tiny_model.SIZE, seed=0))
    assert (first != sample_images(dataset, 40, tiny_model.SIZE, seed=1)).any()
    assert len(sample_images(dataset, 1000, tiny_model.SIZE, seed=0)) == 120


def test_batches_hold_every_image_as_it_was_written(examples: Artifact) -> None:
    dataset = split_dataset([examples], "eval")
    batches = list(labelled_batches(dataset, tiny_model.SIZE, batch_size=50))
    assert [len(names) for _, names in batches] == [50, 50, 20]
    written = {image.tobytes() for image in tiny_model.draw(120, seed=3)[0]}
    assert {image.tobytes() for images, _ in batches for image in images} == written


def test_components_can_be_chained(model: Artifact, examples: Artifact) -> None:
    models = Channel(type=standard_artifacts.Model)
    data = Channel(type=standard_artifacts.Examples)
    converter = TFLiteConverter(model=models, examples=data)
    evaluator = TFLiteEvaluator(
        model=models, edge_model=converter.outputs["edge_model"], examples=data
    )
    assert evaluator.outputs["blessing"].type is EdgeBlessing
