"""TensorFlow Serving's JSON for Predict requests: row and columnar format.

The rules and sentences are those of `tensorflow_serving/util/json_tensor.cc`. Values become arrays
in one step when they fit; only a request that does not fit is walked value by value, to name the
first one that is wrong.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from serving.errors import ServingError, invalid_argument
from serving.rest_json_arrays import is_b64, to_array
from serving.rest_json_errors import explain_tensor, quote
from serving.signature import Signature, TensorSpec

# A pair of surrogates, a surrogate without its other half, or any other escape.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


class Format(enum.Enum):
    """Shape of a request, which its answer shares."""

    ROW = "predictions"
    COLUMNAR = "outputs"


def parse(body: bytes) -> dict[str, Any]:
    """Parses a request body into a JSON object.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_slowly(body)
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {quote(document)} Is not object")
    return document


def _parse_slowly(body: bytes) -> Any:
    # NaN and Infinity are no JSON, but TensorFlow Serving takes them.
    try:
        document = json.loads(body.decode())
    except json.JSONDecodeError as error:
        raise invalid_argument(f"JSON Parse error: Invalid value. at offset: {error.pos}") from None
    except UnicodeDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid encoding in string. at offset: {error.start}"
        ) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: The document nests too deep") from None
    except ValueError:  # An integer of more digits than Python converts.
        raise invalid_argument("JSON Parse error: Number too big to be stored in double.") from None
    _check_surrogates(body)
    return document


def _check_surrogates(body: bytes) -> None:
    # Python reads half a character as text, which then cannot be written anywhere.
    for escape in _ESCAPE.finditer(body):
        if escape["lone"]:
            raise invalid_argument(
                "JSON Parse error: The surrogate pair in string is invalid. at offset: "
                f"{escape.start()}"
            )


def signature_name(document: Mapping[str, Any]) -> str:
    """Signature a request names, empty for the default one.

    Raises:
      ServingError: the name is not a string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {quote(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def predict_feeds(
    document: Mapping[str, Any], signature: Signature
) -> tuple[dict[str, np.ndarray], Format]:
    """Inputs of a Predict request, and the format it is in.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    has_rows, has_columns = "instances" in document, "inputs" in document
    if has_rows and has_columns:
        raise invalid_argument(
            f"JSON Value: {quote(document)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if has_rows:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise invalid_argument(
                f"JSON Value: {quote(document)} Excepting 'instances' to be an list/array"
            )
        if not instances:
            raise invalid_argument(f"JSON Value: {quote(document)} No values in 'instances' array")
        return _rows(instances, signature.inputs), Format.ROW
    if has_columns:
        return _columns(document["inputs"], signature.inputs), Format.COLUMNAR
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_b64(value)


def _rows(instances: list[Any], inputs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    named = _is_named(instances[0])
    for position, instance in enumerate(instances):
        if named and not _is_named(instance):
            raise invalid_argument(
                f"Expecting object but got list at item {position} of input list"
            )
        if not named and _is_named(instance):
            raise invalid_argument(
                f"Expecting value/list but got object at item {position} of input list"
            )
    if not named:
        name = next(iter(inputs))
        return {name: _row_tensor(instances, inputs[name], None)}
    for position, instance in enumerate(instances):
        for name in instance:
            if name not in inputs:
                raise invalid_argument(
                    f"Failed to process element: {position} key: {name} of 'instances' list. "
                    f"Error: INVALID_ARGUMENT: JSON object: does not have named input: {name}"
                )
        if set(instance) != set(inputs):
            raise invalid_argument(
                f"Failed to process element: {position} of 'instances' list. JSON object: "
                f"{quote(instance)} must only have keys: {','.join(inputs)}"
            )
    return {
        name: _row_tensor([instance[name] for instance in instances], spec, name)
        for name, spec in inputs.items()
    }


def _row_tensor(values: list[Any], spec: TensorSpec, name: str | None) -> np.ndarray:
    array = to_array(values, spec.dtype)
    if array is not None:
        return array
    first: tuple[int, ...] | None = None
    for position, value in enumerate(values):
        key = "" if name is None else f" key: {name}"
        where = f"Failed to process element: {position}{key} of 'instances' list. Error: "
        try:
            shape = explain_tensor(value, spec.dtype)
            if first is not None and shape != first:
                raise invalid_argument(_shape_mismatch(first, shape))
        except ServingError as error:
            raise invalid_argument(f"{where}{error}") from None
        first = shape
    raise invalid_argument(f"Failed to process 'instances' list for {spec.dtype.name}")


def _shape_mismatch(first: tuple[int, ...], shape: tuple[int, ...]) -> str:
    sizes = int(np.prod(first)), int(np.prod(shape))
    if sizes[0] != sizes[1]:
        return f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}"
    texts = ["[" + ",".join(map(str, each)) + "]" for each in (first, shape)]
    return f"Expecting shape {texts[0]} but got: {texts[1]}"


def _columns(given: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    if not _is_named(given):
        if len(inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        name, spec = next(iter(inputs.items()))
        return {name: _column_tensor(given, spec)}
    feeds = {}
    for name, spec in inputs.items():
        if name not in given:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        feeds[name] = _column_tensor(given[name], spec)
    return feeds


def _column_tensor(value: Any, spec: TensorSpec) -> np.ndarray:
    array = to_array(value, spec.dtype)
    if array is None:
        explain_tensor(value, spec.dtype)
        raise invalid_argument(f"Cannot convert 'inputs' to {spec.dtype.name}")
    return array
