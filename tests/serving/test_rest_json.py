"""JSON to arrays: the whole-list step and the value-by-value walk agree on any input."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from serving import rest_answers, rest_json
from serving.errors import ServingError
from serving.rest_json import Format
from serving.rest_json_arrays import decode_b64, to_array
from serving.rest_json_errors import explain_tensor, quote

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(width=64)
    | st.text(max_size=5)
    | st.fixed_dictionaries({"b64": st.text("AQ=/+-_ ", max_size=6)})
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
TYPES = st.sampled_from(
    [tf.float32, tf.float64, tf.int32, tf.uint8, tf.int64, tf.uint64, tf.bool, tf.string]
)


@given(VALUES, TYPES)
def test_what_makes_no_array_is_explained_and_the_rest_is_not(value: object, dtype: object) -> None:
    try:
        array = to_array(value, dtype)
    except ServingError:
        return  # Text that is not base64.
    if array is None:
        with pytest.raises(ServingError):
            explain_tensor(value, dtype)
    else:
        assert explain_tensor(value, dtype)[: array.ndim] == array.shape


@given(st.binary(max_size=60))
def test_any_body_is_parsed_or_refused(body: bytes) -> None:
    try:
        assert isinstance(rest_json.parse(body), dict)
    except ServingError as error:
        assert error.code.name == "INVALID_ARGUMENT"


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_a_float32_answer_reads_back_as_itself(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    answer = rest_json.parse(rest_answers.predict_answer({"y": array}, Format.COLUMNAR))
    np.testing.assert_array_equal(np.array(answer["outputs"], dtype=np.float32), array)


def test_a_float32_is_written_without_the_digits_of_its_double() -> None:
    array = np.array([0.2], dtype=np.float32)
    assert rest_answers.predict_answer({"y": array}, Format.ROW) == b'{"predictions":[0.2]}'


@pytest.mark.parametrize("text", ["AP8=", "AP8", "A P 8 ="])
def test_base64_needs_no_padding(text: str) -> None:
    assert decode_b64(text) == b"\0\xff"


def test_a_deeply_nested_body_is_refused() -> None:
    with pytest.raises(ServingError):
        rest_json.parse(b'{"instances":' + b"[" * 100_000)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 64])
def test_lists_nest_as_deep_as_an_array_has_dimensions(depth: int) -> None:
    value = nested(depth)
    array = to_array(value, tf.float32)
    assert array is not None
    assert array.ndim == depth
    assert explain_tensor(value, tf.float32) == array.shape


@pytest.mark.parametrize("depth", [65, 1010])
def test_lists_that_nest_deeper_are_refused(depth: int) -> None:
    value = nested(depth)
    for convert in (to_array, explain_tensor):
        with pytest.raises(ServingError, match="JSON Value nests lists more than 64 deep"):
            convert(value, tf.float32)


def test_an_integer_of_any_length_is_parsed_or_refused() -> None:
    body = b'{"instances":[%s]}'
    assert rest_json.parse(body % (b"9" * 400))
    with pytest.raises(ServingError) as caught:
        rest_json.parse(body % (b"9" * 5000))
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert caught.value.message == "JSON Parse error: Number too big to be stored in double."


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (rb'"\ud800"', 1),
        (rb'{"signature_name":"\uDFFF","instances":[1]}', 19),
        (rb'{"instances":["\ud83d\ud83d\ude00"]}', 15),
        (rb'{"\\\udc00":1}', 4),
    ],
)
def test_half_a_character_is_refused(body: bytes, offset: int) -> None:
    with pytest.raises(ServingError) as caught:
        rest_json.parse(body)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert caught.value.message == (
        f"JSON Parse error: The surrogate pair in string is invalid. at offset: {offset}"
    )


def test_half_a_character_that_is_not_escaped_is_refused() -> None:
    with pytest.raises(ServingError, match=r"Invalid encoding in string\. at offset: 2"):
        rest_json.parse(b'["\xed\xa0\x80"]')


def test_both_halves_of_a_character_are_one_beside_nan() -> None:
    body = rb'{"a": NaN, "b": "\ud83d\ude00", "c": "\\ud800", "d": "\u00e4"}'
    document = rest_json.parse(body)
    assert (document["b"], document["c"], document["d"]) == ("\U0001f600", r"\ud800", "\u00e4")


def test_a_value_that_nests_too_deep_is_not_quoted() -> None:
    assert quote(nested(1010)) == "(nests too deep to be shown)"


def test_long_values_are_cut_when_quoted() -> None:
    assert len(quote("x" * 5000)) < 1100


def test_rows_need_one_batch_size() -> None:
    outputs = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
    with pytest.raises(ServingError, match="Tensor name: b has inconsistent batch size: 3"):
        rest_answers.predict_answer(outputs, Format.ROW)
