"""Converts between `TensorProto` and numpy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.errors import invalid_argument

_TYPED_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "int16": "int_val",
    "int8": "int_val",
    "uint8": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
}


def decode(alias: str, proto: Any, max_bytes: int) -> np.ndarray:
    """Array of a `TensorProto`; strings become an object array of bytes.

    A proto may declare any shape and carry one value, which fills it: the declared size counts
    against `max_bytes`.

    Raises:
      ServingError: INVALID_ARGUMENT, for a shape, type or content that makes no tensor.
    """
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid_argument(f"tensor parsing error: {alias}")
    count = math.prod(shape)
    if proto.dtype == types_pb2.DT_STRING:
        if len(proto.string_val) != count:
            raise invalid_argument(f"tensor parsing error: {alias}")
        values = np.empty(count, dtype=object)
        values[:] = proto.string_val
        return values.reshape(shape)
    try:
        size = tf.dtypes.as_dtype(proto.dtype).size
        if count * size > max_bytes:
            raise invalid_argument(
                f"input {alias} declares {count * size} bytes; this server takes {max_bytes}"
            )
        array: np.ndarray = tf.make_ndarray(proto)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise invalid_argument(f"tensor parsing error: {alias}") from None
    if array.shape != shape:
        raise invalid_argument(f"tensor parsing error: {alias}")
    return array


def encode(array: np.ndarray, proto: Any) -> None:
    """Writes an array into a `TensorProto`, in typed fields as TensorFlow Serving answers."""
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.dtype = types_pb2.DT_STRING
        proto.string_val.extend(array.ravel().tolist())
        return
    field = _TYPED_FIELDS.get(array.dtype.name)
    if field is None:
        proto.CopyFrom(tf.make_tensor_proto(array))
        return
    proto.dtype = tf.dtypes.as_dtype(array.dtype).as_datatype_enum
    getattr(proto, field).extend(array.ravel().tolist())
