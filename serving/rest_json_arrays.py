"""Converts nested JSON lists to arrays in whole-list steps."""

from __future__ import annotations

import base64
import binascii
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import invalid_argument
from serving.rest_json_errors import MAX_DIMENSIONS, nests_too_deep

B64_KEY = "b64"
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
_EXACT_FLOAT_INTEGER = {"float": 2**24 - 1, "double": 2**53 - 1}


def is_b64(value: Any) -> bool:
    """Whether a JSON value stands for binary data."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(B64_KEY), str)


def tf_name(dtype: tf.DType) -> str:
    """TensorFlow Serving's name of a type: `float` and `double` for the two usual floats."""
    return {"float32": "float", "float64": "double"}.get(dtype.name, str(dtype.name))


def to_array(value: Any, dtype: tf.DType) -> np.ndarray | None:
    """Array of a JSON value, or None when the value does not fit the type or is ragged.

    Raises:
      ServingError: text is not base64, or lists nest deeper than an array has dimensions.
    """
    shape: list[int] = []
    leaves = [value]
    while leaves and isinstance(leaves[0], list):
        size = len(leaves[0])
        if set(map(type, leaves)) != {list} or set(map(len, leaves)) != {size}:
            return None
        if len(shape) == MAX_DIMENSIONS:
            raise nests_too_deep()
        shape.append(size)
        leaves = list(chain.from_iterable(leaves))
    array = _strings(leaves) if dtype == tf.string else _numbers(leaves, tf_name(dtype))
    return None if array is None else array.reshape(shape)


def _numbers(leaves: list[Any], name: str) -> np.ndarray | None:
    kinds = set(map(type, leaves))
    if name in _EXACT_FLOAT_INTEGER and kinds <= {int, float}:
        return _floats(leaves, kinds, name)
    if name in _INTEGERS and kinds <= {int}:
        info = np.iinfo(name)
        fits = not leaves or (info.min <= min(leaves) and max(leaves) <= info.max)
        return np.array(leaves, dtype=name) if fits else None
    if name == "bool" and kinds <= {bool}:
        return np.array(leaves, dtype=bool)
    return None


def _floats(leaves: list[Any], kinds: set[type], name: str) -> np.ndarray | None:
    exact = _EXACT_FLOAT_INTEGER[name]
    if int in kinds and any(type(leaf) is int and abs(leaf) > exact for leaf in leaves):
        return None
    wide = np.array(leaves, dtype=np.float64)
    if name == "double":
        return wide
    finite = wide[np.isfinite(wide)]
    if finite.size and np.abs(finite).max() > np.finfo(np.float32).max:
        return None
    return wide.astype(np.float32)


def _strings(leaves: list[Any]) -> np.ndarray | None:
    values = np.empty(len(leaves), dtype=object)
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, str):
            values[position] = leaf.encode()
        elif is_b64(leaf):
            values[position] = decode_b64(leaf[B64_KEY])
        else:
            return None
    return values


def decode_b64(text: str) -> bytes:
    """Decodes standard base64, padded or not, as `absl::Base64Unescape` does.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    compact = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None
