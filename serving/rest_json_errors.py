"""Names what is wrong with a JSON value that makes no tensor, in TensorFlow Serving's words."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import ServingError, StatusCode, invalid_argument

MAX_QUOTE = 1000
MAX_DIMENSIONS = 64
"""Of a numpy array."""

_EXACT_INTEGER = {"float": 2**24 - 1, "double": 2**53 - 1}


def quote(value: Any) -> str:
    """A JSON value as RapidJSON prints it, cut after `MAX_QUOTE` characters."""
    try:
        text = json.dumps(value, indent=4, ensure_ascii=False)
    except RecursionError:
        return "(nests too deep to be shown)"
    return text if len(text) <= MAX_QUOTE else text[:MAX_QUOTE] + "..."


def explain_tensor(value: Any, dtype: tf.DType) -> tuple[int, ...]:
    """Walks a value as `FillTensorProto` does.

    Returns:
      The shape of the value.

    Raises:
      ServingError: naming the first part that does not fit.
    """
    shape: list[int] = []
    probe = value
    while isinstance(probe, list):
        shape.append(len(probe))
        if len(shape) > MAX_DIMENSIONS:
            raise nests_too_deep()
        if not probe:
            break
        probe = probe[0]
    _walk(value, 0, shape, dtype)
    return tuple(shape)


def nests_too_deep() -> ServingError:
    """A value with more levels of lists than an array has dimensions."""
    return invalid_argument(
        f"JSON Value nests lists more than {MAX_DIMENSIONS} deep, the most dimensions of a tensor"
    )


def _walk(value: Any, level: int, shape: list[int], dtype: tf.DType) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {quote(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        _check_leaf(value, dtype)
        return
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for item in value:
        _walk(item, level + 1, shape, dtype)


def _check_leaf(value: Any, dtype: tf.DType) -> None:
    name = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _EXACT_INTEGER:
        if not number:
            raise _type_error(value, name)
        if not _fits_float(value, name):
            raise invalid_argument(
                f"Cannot convert JSON value: {quote(value)} to {name} without loss of precision."
            )
    elif name == "string":
        if isinstance(value, dict):
            if len(value) != 1 or not isinstance(value.get("b64"), str):
                raise invalid_argument(
                    f"JSON Value: {quote(value)} not formatted correctly for base64 data"
                )
        elif not isinstance(value, str):
            raise _type_error(value, name)
    elif name == "bool":
        if not isinstance(value, bool):
            raise _type_error(value, name)
    elif dtype.is_integer and not dtype.is_quantized:
        if not number or isinstance(value, float) or not dtype.min <= value <= dtype.max:
            raise _type_error(value, name)
    else:
        raise ServingError(
            StatusCode.UNIMPLEMENTED, f"Conversion of JSON Value: {quote(value)} to type: {name}"
        )


def _fits_float(value: float, name: str) -> bool:
    if isinstance(value, int):
        return abs(value) <= _EXACT_INTEGER[name]
    largest = np.finfo(np.float32 if name == "float" else np.float64).max
    return not math.isfinite(value) or abs(value) <= float(largest)


def _type_error(value: Any, name: str) -> ServingError:
    return invalid_argument(
        f"JSON Value: {quote(value)} Type: {json_type(value)} is not of expected type: {name}"
    )


def json_type(value: Any) -> str:
    """RapidJSON's name of the type of a JSON value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    kinds = ((dict, "Object"), (list, "Array"), (str, "String"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "Number")
