"""Every image that TensorFlow's parser finds in a tf.Example is found before it is parsed."""

from __future__ import annotations

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2

from serving.example_bytes import image_values
from serving.image_bounds import MAGIC

IMAGE = b"GIF89a" + b"pixels" * 30
NEGATIVE = b"\xff\xff\xff\xff\x0f"


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def entry(value: bytes, key: bytes = b"image") -> bytes:
    return field(1, field(1, key) + field(2, value))


def bytes_list(*values: bytes) -> bytes:
    return field(1, b"".join(field(1, value) for value in values))


def parsed(serialized: bytes) -> bytes | None:
    """The `image` that TensorFlow finds; None if there is none."""
    features = {"image": tf.io.FixedLenFeature([], tf.string)}
    try:
        return bytes(tf.io.parse_example([serialized], features)["image"].numpy()[0])
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):  # Its message quotes the bytes.
        return None


FEATURE = bytes_list(IMAGE)
EXAMPLE = field(1, entry(FEATURE))


@pytest.mark.parametrize(
    "serialized",
    [
        EXAMPLE,
        b"BM" + b"\0" * 77 + EXAMPLE,
        b"\0\0" + EXAMPLE,
        EXAMPLE + b"\0\0",
        EXAMPLE + b"\x12\x7f",
        b"\x12" + NEGATIVE + EXAMPLE,
        b"\x0a" + NEGATIVE + entry(FEATURE),
        field(1, entry(FEATURE) + entry(FEATURE, b"\xff")),
        field(1, entry(FEATURE + field(3, b""))),
        field(1, entry(FEATURE + b"\x07")),
        field(1, field(1, field(2, FEATURE) + field(1, b"image"))),
        field(1, entry(field(1, b"\x0a" + bytes([0x80 | len(IMAGE) & 0x7F, 0x81, 0]) + IMAGE))),
    ],
    ids=[
        "as protobuf writes it",
        "after an unknown field that looks like a bitmap",
        "after a field without a number",
        "before a field without a number",
        "before a field longer than the rest",
        "after a field of a negative length",
        "in features of a negative length",
        "beside a key that is no UTF-8",
        "in a feature of two kinds",
        "in a feature with bytes after it",
        "with its value before its key",
        "with a long form of its length",
    ],
)
def test_an_image_is_found_wherever_tensorflow_finds_it(serialized: bytes) -> None:
    assert parsed(serialized) == IMAGE
    assert IMAGE in image_values(serialized)


@pytest.mark.parametrize("magic", MAGIC)
def test_an_image_of_any_format_is_found(magic: bytes) -> None:
    assert list(image_values(field(1, entry(bytes_list(magic))))) == [magic]


@given(st.dictionaries(st.text(), st.lists(st.binary(max_size=300), max_size=4), max_size=4))
def test_all_values_of_an_example_are_found_beside_an_image(values: dict) -> None:
    example = example_pb2.Example()
    example.features.feature["float"].float_list.value.append(1.0)
    example.features.feature["image"].bytes_list.value.append(IMAGE)
    for key, content in values.items():
        example.features.feature[key + "s"].bytes_list.value.extend(content)
    expected = [value for content in values.values() for value in content if value]
    assert sorted(image_values(example.SerializeToString())) == sorted([IMAGE, *expected])


@pytest.mark.parametrize("value", [b"", b"text", IMAGE, field(1, entry(bytes_list(b"text")))])
def test_what_holds_no_image_is_not_searched(value: bytes) -> None:
    assert not list(image_values(value))


NOISE = st.binary(max_size=3) | st.sampled_from([b"\x12" + NEGATIVE, b"\x8a\0", b"\0", b"\x0a"])


@st.composite
def damaged_examples(draw: st.DrawFn) -> bytes:
    """An Example with noise before and after each of its parts."""
    content = IMAGE
    for number in (1, 1, None, 1, 1):
        if number is None:
            content = field(1, b"image") + draw(NOISE) + field(2, content)
        else:
            content = field(number, content)
        content = draw(NOISE) + content + draw(NOISE)
    return content


@settings(max_examples=300, deadline=None)
@given(damaged_examples())
def test_no_image_that_tensorflow_finds_is_missed(serialized: bytes) -> None:
    image = parsed(serialized)
    assert image is None or not image.startswith(MAGIC) or image in image_values(serialized)
