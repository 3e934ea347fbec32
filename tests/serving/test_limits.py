"""A request is refused on the images it carries, bare or in a tf.Example."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from tensorflow.core.example import example_pb2

from serving.errors import ServingError
from serving.limits import Limits
from tests.serving.images import COMMENT, JPEG, gif, gif_frame

LIMITS = Limits(max_image_pixels=10_000)


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\0" * 50


def example(*images: bytes) -> bytes:
    message = example_pb2.Example()
    message.features.feature["image"].bytes_list.value.extend(images)
    return bytes(message.SerializeToString())


def check(*values: bytes) -> None:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    LIMITS.check({"x": array})


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"BMW",
        png_header(100, 100),
        JPEG,
        example(png_header(100, 100), b"text"),
        gif((50, 50), *[gif_frame(50, 50)] * 4),
        gif((100, 100), gif_frame(98, 100), *[gif_frame(5, 5)] * 8),
    ],
)
def test_what_keeps_the_bound_is_taken(value: bytes) -> None:
    check(value)


@pytest.mark.parametrize(
    ("value", "pixels"),
    [
        (png_header(101, 100), 10_100),
        (example(png_header(1, 1), png_header(101, 100)), 10_100),
        (gif((1, 1), *[gif_frame(100, 100)] * 2), 20_000),
        (b"BM" + b"\0" * 77 + example(png_header(101, 100)), 10_100),
        (b"BM" + b"\0" * 77 + example(gif((1, 1), *[gif_frame(100, 100)] * 2)), 20_000),
    ],
)
def test_the_largest_image_of_a_value_counts(value: bytes, pixels: int) -> None:
    with pytest.raises(ServingError) as caught:
        check(b"", value)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert caught.value.message == (
        f"image 1 of input x declares {pixels} pixels; this server takes at most 10000"
    )


@pytest.mark.parametrize("wrap", [bytes, example])
def test_an_image_without_a_readable_size_is_refused(wrap: type) -> None:
    with pytest.raises(ServingError) as caught:
        check(wrap(JPEG[:2] + COMMENT))
    assert caught.value.code.name == "INVALID_ARGUMENT"
    assert caught.value.message == (
        "image 0 of input x is a JPEG whose size cannot be read before it is decoded"
    )
