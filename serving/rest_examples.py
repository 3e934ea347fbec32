"""Reads the JSON of Classify and Regress into `tf.Example`, as `json_tensor.cc` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2

from serving.errors import invalid_argument
from serving.rest_json import signature_name
from serving.rest_json_arrays import B64_KEY, decode_b64, is_b64
from serving.rest_json_errors import json_type, quote


def fill_request(document: Mapping[str, Any], request: Any) -> None:
    """Fills a ClassificationRequest or RegressionRequest.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    request.model_spec.signature_name = signature_name(document)
    if "examples" not in document:
        raise invalid_argument(
            f"JSON Value: {quote(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise invalid_argument(
            f"JSON Value: {quote(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid_argument(f"JSON Value: {quote(document)} 'examples' value is an empty array")
    if "context" in document:
        target = request.input.example_list_with_context
        _fill_example(document["context"], target.context)
    else:
        target = request.input.example_list
    for example in examples:
        _fill_example(example, target.examples.add())


def _fill_example(value: Any, example: example_pb2.Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add_value(item, name, feature)


def _add_value(value: Any, name: str, feature: feature_pb2.Feature) -> None:
    if isinstance(value, bool):
        _list_of(feature, name, "int64_list").append(int(value))
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        _list_of(feature, name, "int64_list").append(value)
    elif isinstance(value, float):
        if np.isfinite(value) and abs(value) > np.finfo(np.float32).max:
            raise invalid_argument(
                f"Cannot convert JSON value: {quote(value)} to float without loss of precision."
            )
        _list_of(feature, name, "float_list").append(value)
    elif isinstance(value, str):
        _list_of(feature, name, "bytes_list").append(value.encode())
    elif is_b64(value):
        _list_of(feature, name, "bytes_list").append(decode_b64(value[B64_KEY]))
    else:
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
        )


def _list_of(feature: feature_pb2.Feature, name: str, kind: str) -> Any:
    current = feature.WhichOneof("kind")
    if current not in (None, kind):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{str(current).removesuffix('_list')}"
        )
    return getattr(feature, kind).value
