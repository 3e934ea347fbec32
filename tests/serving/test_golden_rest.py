"""The REST API: golden request and answer for each rule of TensorFlow Serving, errors included."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import tensorflow as tf

from pipeline.features import IMAGE_KEY
from tests.serving.clients import DEADLINE_SECONDS, Target, image_request
from tests.serving.conftest import MODEL
from tests.serving.tiny_model import CLASSES, png

CASES = json.loads((Path(__file__).parent / "golden_rest.json").read_text())


def b64(image: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(image).decode()}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden_answer(target: Target, case: dict[str, Any]) -> None:
    body = case.get("raw_body", json.dumps(case["body"]) if "body" in case else None)
    answer = requests.request(
        case["method"], target.url(case["path"]), data=body, timeout=DEADLINE_SECONDS
    )
    expected = case["answer"] if "answer" in case else json.loads(case["raw_answer"])
    assert (answer.status_code, json.loads(answer.content)) == (case["status"], expected)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_images_are_answered_as_over_grpc(target: Target) -> None:
    images = [png(seed) for seed in range(3)]
    answer = target.post(
        f"/v1/models/{MODEL}:predict", {"instances": [b64(image) for image in images]}
    )
    outputs = target.predict(image_request(MODEL, *images)).outputs
    rows = answer.json()["predictions"]
    np.testing.assert_allclose(
        [row["probabilities"] for row in rows],
        tf.make_ndarray(outputs["probabilities"]),
        rtol=1e-5,
    )
    assert [row["label"].encode() for row in rows] == list(outputs["label"].string_val)


def test_pixels_are_taken_as_nested_lists(target: Target) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 48, 48, 1)).tolist()
    body = {"signature_name": "pixels", "instances": pixels}
    answer = target.post(f"/v1/models/{MODEL}:predict", body)
    assert answer.status_code == 200
    assert all(
        sum(row["probabilities"]) == pytest.approx(1.0, abs=1e-5)
        for row in answer.json()["predictions"]
    )


def test_classify_answers_label_and_score_pairs(target: Target) -> None:
    body = {"signature_name": "classify", "examples": [{IMAGE_KEY: b64(png(0))}]}
    (row,) = target.post(f"/v1/models/{MODEL}:classify", body).json()["results"]
    assert [label for label, _ in row] == list(CLASSES)


def test_regress_answers_numbers(target: Target) -> None:
    body = {"signature_name": "regress", "examples": [{IMAGE_KEY: b64(png(0))}]}
    (value,) = target.post(f"/v1/models/{MODEL}:regress", body).json()["results"]
    assert 0.0 < value <= 1.0


def test_metadata_keeps_the_protocols_field_names(target: Target) -> None:
    answer = target.get(f"/v1/models/{MODEL}/versions/1/metadata").json()
    assert answer["model_spec"] == {"name": MODEL, "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["pixels"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    sizes = [dim["size"] for dim in signature["inputs"]["pixels"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "48", "48", "1"]
    assert signature["inputs"]["pixels"]["dtype"] == "DT_UINT8"


def test_bytes_that_are_no_image_are_the_clients_fault(target: Target) -> None:
    answer = target.post(f"/v1/models/{MODEL}:predict", {"instances": ["not an image"]})
    assert answer.status_code == 400
    assert "Unknown image file format" in answer.json()["error"]
