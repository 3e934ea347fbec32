"""Writes TensorFlow Serving's JSON answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from serving.errors import ServingError, invalid_argument
from serving.rest_json import Format
from serving.rest_json_arrays import B64_KEY

_BYTES_SUFFIX = "_bytes"


def predict_answer(outputs: Mapping[str, np.ndarray], form: Format) -> bytes:
    """Answer of a Predict call; a single output goes without its name.

    Raises:
      ServingError: a row answer whose outputs do not share their first dimension.
    """
    if form is Format.ROW:
        _check_rows(outputs)
    columns = {name: _json_column(name, array) for name, array in sorted(outputs.items())}
    answer: Any
    if len(columns) == 1:
        answer = next(iter(columns.values()))
    elif form is Format.COLUMNAR:
        answer = columns
    else:
        rows = zip(*columns.values(), strict=True)
        answer = [dict(zip(columns, row, strict=True)) for row in rows]
    finite = all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")
    return _dump({form.value: answer}, finite)


def _check_rows(outputs: Mapping[str, np.ndarray]) -> None:
    batch_size = 0
    for name, array in sorted(outputs.items()):
        if not array.ndim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        size = array.shape[0]
        if size < 1:
            raise invalid_argument(f"Tensor name: {name} has invalid batch size: {size}")
        if batch_size and size != batch_size:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {size} expecting: {batch_size}"
            )
        batch_size = size


def _json_column(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        return _map_strings(array.tolist(), name.endswith(_BYTES_SUFFIX))
    return np.ascontiguousarray(array) if array.ndim else array[()]


def _map_strings(value: Any, as_bytes: bool) -> Any:
    if isinstance(value, list):
        return [_map_strings(item, as_bytes) for item in value]
    if as_bytes:
        return {B64_KEY: base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")


def _dump(answer: Any, finite: bool) -> bytes:
    # orjson turns NaN into null; TensorFlow Serving writes NaN and Infinity, as json does. Both
    # write a float32 as the shortest text that reads back as the same float32.
    if finite:
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(answer, ensure_ascii=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return list(value)
    if isinstance(value, np.float32):
        return float(str(value))
    return value.item()


def classify_answer(result: Any) -> bytes:
    """Answer of a Classify call: a list of `[label, score]` pairs for each example."""
    rows = [
        [[item.label, np.float32(item.score)] for item in row.classes]
        for row in result.classifications
    ]
    scores = [score for row in rows for _, score in row]
    return _dump({"results": rows}, bool(np.isfinite(scores).all()))


def regress_answer(result: Any) -> bytes:
    """Answer of a Regress call: one number for each example."""
    values = [np.float32(item.value) for item in result.regressions]
    return _dump({"results": values}, bool(np.isfinite(values).all()))


def error_answer(error: ServingError) -> bytes:
    """Answer of any call that failed."""
    return orjson.dumps({"error": error.message}, option=orjson.OPT_INDENT_2)


def proto_answer(response: Any) -> bytes:
    """Answer of a status call."""
    return json_format.MessageToJson(
        response, always_print_fields_with_no_presence=True, indent=1
    ).encode()


def metadata_answer(response: Any) -> bytes:
    """Answer of a metadata call: the signatures, with their protocol field names."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    options: dict[str, Any] = {
        "always_print_fields_with_no_presence": True,
        "preserving_proto_field_name": True,
    }
    answer = {
        "model_spec": json_format.MessageToDict(response.model_spec, **options),
        "metadata": {"signature_def": json_format.MessageToDict(signatures, **options)},
    }
    return json.dumps(answer, indent=1).encode()
