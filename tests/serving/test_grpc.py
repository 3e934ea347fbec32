"""The gRPC API, through the stubs of tensorflow-serving-api."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from pipeline.features import IMAGE_KEY
from tests.serving.clients import DEADLINE_SECONDS, Target, image_request
from tests.serving.conftest import MODEL
from tests.serving.tiny_model import CLASSES, png


def example(image: bytes) -> tf.train.Example:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature={IMAGE_KEY: feature}))


def refusal(call: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, DEADLINE_SECONDS)
    return caught.value.code(), caught.value.details()


def test_predict_answers_what_the_model_answers_in_process(
    target: Target, model_root: Path
) -> None:
    images = [png(seed) for seed in range(3)]
    expected = tf.saved_model.load(str(model_root / "2")).signatures["serving_default"](
        image_bytes=tf.constant(images)
    )
    answer = target.predict(image_request(MODEL, *images))
    assert set(answer.outputs) == {"probabilities", "label", "score"}
    np.testing.assert_allclose(
        tf.make_ndarray(answer.outputs["probabilities"]), expected["probabilities"], rtol=1e-5
    )
    assert tf.make_ndarray(answer.outputs["label"]).tolist() == expected["label"].numpy().tolist()


def test_an_answer_names_the_version_and_signature_that_gave_it(target: Target) -> None:
    answer = target.predict(image_request(MODEL, png(0)))
    assert answer.model_spec.name == MODEL
    assert answer.model_spec.version.value == 2
    assert answer.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("spec", "version"), [({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)]
)
def test_a_request_may_name_a_version_or_a_label(
    target: Target, spec: dict[str, Any], version: int
) -> None:
    answer = target.predict(image_request(MODEL, png(0), **spec))
    assert answer.model_spec.version.value == version
    assert answer.outputs["label"].string_val[0].decode().endswith(f"@{version}")


def test_outputs_come_in_typed_fields_as_tensorflow_serving_sends_them(target: Target) -> None:
    outputs = target.predict(image_request(MODEL, png(0))).outputs
    assert len(outputs["probabilities"].float_val) == len(CLASSES)
    assert not outputs["probabilities"].tensor_content


def test_output_filter_limits_the_answer(target: Target) -> None:
    request = image_request(MODEL, png(0))
    request.output_filter.append("score")
    assert list(target.predict(request).outputs) == ["score"]


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (
            lambda request: setattr(request.model_spec, "name", "nope"),
            "NOT_FOUND",
            "Servable not found for request: Latest(nope)",
        ),
        (
            lambda request: setattr(request.model_spec.version, "value", 9),
            "NOT_FOUND",
            f"Servable not found for request: Specific({MODEL}, 9)",
        ),
        (
            lambda request: setattr(request.model_spec, "version_label", "x"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: x",
        ),
        (
            lambda request: setattr(request.model_spec, "signature_name", "x"),
            "FAILED_PRECONDITION",
            'Serving signature key "x" not found.',
        ),
        (
            lambda request: request.inputs["extra"].CopyFrom(tf.make_tensor_proto([1.0])),
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({extra,image_bytes}) != "
            "len({image_bytes}). Sent extra: {extra}. Missing but required: {}.",
        ),
        (
            lambda request: request.output_filter.append("nope"),
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: nope Outputs expected to be in the set "
            "{label,probabilities,score}.",
        ),
        (
            lambda request: request.output_filter.extend(["label", "label"]),
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: label",
        ),
        (
            lambda request: request.ClearField("model_spec"),
            "INVALID_ARGUMENT",
            "Missing ModelSpec",
        ),
    ],
)
def test_a_bad_predict_is_told_in_tensorflow_servings_words(
    target: Target, change: Any, code: str, sentence: str
) -> None:
    request = image_request(MODEL, png(0))
    change(request)
    assert refusal(target.prediction.Predict, request) == (grpc.StatusCode[code], sentence)


def test_a_wrong_input_name_is_told_with_the_right_ones(target: Target) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["images"].CopyFrom(tf.make_tensor_proto([png(0)]))
    code, sentence = refusal(target.prediction.Predict, request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert sentence == (
        "input tensor alias not found in signature: images. "
        "Inputs expected to be in the set {image_bytes}."
    )


def test_bytes_that_are_no_image_are_the_clients_fault(target: Target) -> None:
    code, sentence = refusal(target.prediction.Predict, image_request(MODEL, b"not an image"))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "Unknown image file format" in sentence


def test_classify_pairs_classes_with_scores(target: Target) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "classify"
    request.input.example_list.examples.extend([example(png(0)), example(png(1))])
    answer = target.prediction.Classify(request, DEADLINE_SECONDS)
    first, second = answer.result.classifications
    assert [each.label for each in first.classes] == list(CLASSES)
    assert sum(each.score for each in second.classes) == pytest.approx(1.0)


def test_classify_merges_a_shared_context_into_each_example(target: Target) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "classify"
    shared = request.input.example_list_with_context
    shared.context.CopyFrom(example(png(0)))
    shared.examples.extend([tf.train.Example(), tf.train.Example()])
    answer = target.prediction.Classify(request, DEADLINE_SECONDS)
    assert len(answer.result.classifications) == 2


def test_classify_without_examples_is_refused(target: Target) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "classify"
    assert refusal(target.prediction.Classify, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input is empty.",
    )


def test_regress_answers_one_value_an_example(target: Target) -> None:
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "regress"
    request.input.example_list.examples.append(example(png(0)))
    (only,) = target.prediction.Regress(request, DEADLINE_SECONDS).result.regressions
    assert 0.0 < only.value <= 1.0


def test_multi_inference_runs_classify_and_regress_on_one_input(target: Target) -> None:
    request = inference_pb2.MultiInferenceRequest()
    for method in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = MODEL, method
    request.input.example_list.examples.append(example(png(0)))
    first, second = target.prediction.MultiInference(request, DEADLINE_SECONDS).results
    scores = [each.score for each in first.classification_result.classifications[0].classes]
    assert second.regression_result.regressions[0].value == pytest.approx(max(scores))


def test_metadata_has_every_signature(target: Target) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = MODEL
    answer = target.prediction.GetModelMetadata(request, DEADLINE_SECONDS)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "pixels", "examples", "classify"} <= set(signatures.signature_def)
    assert answer.model_spec.version.value == 2


def test_status_lists_every_version_highest_first(target: Target) -> None:
    assert list(target.versions(MODEL).items()) == [(2, "AVAILABLE"), (1, "AVAILABLE")]


def test_status_of_an_unknown_version_is_not_found(target: Target) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name, request.model_spec.version.value = MODEL, 9
    assert refusal(target.model.GetModelStatus, request) == (
        grpc.StatusCode.NOT_FOUND,
        f"Could not find version 9 of model {MODEL}",
    )
