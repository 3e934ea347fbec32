"""Any input, over REST and gRPC: bad input is the client's fault, and the server lives on."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from tests.serving.clients import DEADLINE_SECONDS, Target
from tests.serving.conftest import MODEL
from tests.serving.tiny_model import png

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIGNATURES = ("serving_default", "pixels", "examples", "classify", "half_plus_two", "divide", "x")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([{"b64": "AP8="}, {"b64": "?"}, {"b64": 1}])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "tag_bytes", "image", "b64", "z"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
CLIENT_FAULTS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


def assert_no_server_fault(target: Target, method: str, path: str, body: bytes | str) -> None:
    answer = target.post(path, body) if method == "POST" else target.get(path)
    assert answer.status_code in {200, 400, 404, 413, 429, 501}, answer.text


@FUZZ
@given(
    st.sampled_from(["predict", "classify", "regress"]),
    st.sampled_from(["instances", "inputs", "examples", "context", "signature_name"]),
    JSON,
    st.sampled_from(SIGNATURES),
)
def test_any_json(target: Target, method: str, key: str, value: Any, signature: str) -> None:
    body = json.dumps({"signature_name": signature, "examples": [{}], key: value})
    assert_no_server_fault(target, "POST", f"/v1/models/{MODEL}:{method}", body)


@FUZZ
@given(st.binary(max_size=300))
def test_any_body(target: Target, body: bytes) -> None:
    assert_no_server_fault(target, "POST", f"/v1/models/{MODEL}:predict", body)


@FUZZ
@given(
    st.sampled_from(["GET", "POST"]),
    st.text("abv1/:%.?#2", max_size=30).map(lambda tail: f"/v1/models/{MODEL}{tail}"),
)
def test_any_path(target: Target, method: str, path: str) -> None:
    assert_no_server_fault(target, method, path, b"{}")


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_as_a_message(target: Target, message: bytes) -> None:
    call = target.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    try:
        call(message, timeout=DEADLINE_SECONDS)
    except grpc.RpcError as error:
        # gRPC itself answers INTERNAL for bytes that are no message of the method.
        parse_failure = "Exception deserializing request" in error.details()
        assert error.code() in CLIENT_FAULTS or parse_failure, error


@FUZZ
@given(
    st.sampled_from(SIGNATURES),
    st.sampled_from(["x", "image_bytes", "pixels", "examples", "inputs", "tag_bytes"]),
    st.sampled_from(sorted(set(types_pb2.DataType.values()) - {types_pb2.DT_INVALID})),
    st.lists(st.integers(-2, 2**40), max_size=4),
    st.binary(max_size=64),
    st.lists(st.floats(width=32), max_size=3),
    st.lists(st.binary(max_size=30), max_size=3),
)
def test_any_tensor(
    target: Target,
    signature: str,
    name: str,
    dtype: int,
    shape: list[int],
    content: bytes,
    floats: list[float],
    strings: list[bytes],
) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, signature
    tensor = request.inputs[name]
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = content
    tensor.float_val.extend(floats)
    tensor.string_val.extend(strings)
    try:
        target.predict(request)
    except grpc.RpcError as error:
        assert error.code() in CLIENT_FAULTS, error


@FUZZ
@given(st.binary(max_size=120), st.integers(0, 400))
def test_any_damaged_image(target: Target, noise: bytes, position: int) -> None:
    image = bytearray(png(0))
    image[position : position + len(noise)] = noise
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["image_bytes"].dtype = types_pb2.DT_STRING
    request.inputs["image_bytes"].tensor_shape.dim.add(size=1)
    request.inputs["image_bytes"].string_val.append(bytes(image))
    try:
        target.predict(request)
    except grpc.RpcError as error:
        assert error.code() in CLIENT_FAULTS, error


DEEP = "[" * 1010 + "1" + "]" * 1010
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("predict", f'{{"signature_name": "divide", "instances": [{LONG}]}}'),
        ("classify", f'{{"examples": [{{"x": {LONG}}}]}}'),
        ("predict", f'{{"signature_name": "divide", "instances": {DEEP}}}'),
        ("predict", f'{{"signature_name": "divide", "inputs": {DEEP}}}'),
        ("predict", f'{{"signature_name": "divide", "instances": [1, {DEEP}]}}'),
        ("predict", f'{{"signature_name": "divide", "instances": [{DEEP}, 1]}}'),
        ("predict", f'{{"signature_name": {DEEP}}}'),
        ("predict", DEEP),
        ("classify", f'{{"examples": [{{"x": {DEEP}}}]}}'),
        ("regress", f'{{"example": {DEEP}}}'),
    ],
)
def test_numbers_too_long_and_lists_too_deep_are_told_in_one_sentence(
    target: Target, method: str, body: str
) -> None:
    answer = target.post(f"/v1/models/{MODEL}:{method}", body)
    assert answer.status_code == 400, answer.text
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_version_of_any_length_is_looked_for_or_refused(target: Target, method: str) -> None:
    resource = "" if method == "GET" else ":predict"
    for version, status in ((LONG, 400), ("0" * 5000 + "7", 404), ("0" * 5000, 404)):
        path = f"/v1/models/{MODEL}/versions/{version}{resource}"
        answer = target.get(path) if method == "GET" else target.post(path, {"instances": [1]})
        assert answer.status_code == status, answer.text


def test_the_server_still_answers(target: Target) -> None:
    body = {"signature_name": "divide", "instances": [2.0]}
    answer = target.post(f"/v1/models/{MODEL}:predict", body)
    assert answer.json() == {"predictions": [0.5]}


@pytest.mark.parametrize("size", [0, 1])
def test_an_empty_batch_is_no_server_fault(target: Target, size: int) -> None:
    body = json.dumps({"signature_name": "divide", "inputs": [1.0] * size})
    assert_no_server_fault(target, "POST", f"/v1/models/{MODEL}:predict", body)


def test_a_type_that_has_no_size_is_the_clients_fault(target: Target) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["image_bytes"].dtype = types_pb2.DT_RESOURCE
    with pytest.raises(grpc.RpcError) as caught:
        target.predict(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
