"""Judging the bytes of a file."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.image_example_gen.inspection import (
    AcceptedImage,
    ImageLimits,
    accept_pixels,
    inspect,
)
from components.image_example_gen.rejections import Rejection
from tests.ingest import drawn

LIMITS = ImageLimits(min_side=16, max_side=64, max_file_bytes=1 << 20, min_stddev=4.0)


def save(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def accepted(data: bytes) -> AcceptedImage:
    result = inspect(data, LIMITS)
    assert isinstance(result, AcceptedImage)
    return result


def stored(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(accepted(data).encoded))


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_plain_jpeg_and_png_are_stored_byte_for_byte(image_format: str, channels: int) -> None:
    data = drawn.encoded(1, image_format, channels=channels)
    image = accepted(data)
    assert image.encoded == data
    assert (image.height, image.width) == (24, 20)


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("image_format", ["BMP", "WEBP"])
def test_other_formats_are_stored_losslessly_as_png(image_format: str, channels: int) -> None:
    image = stored(drawn.encoded(1, image_format, channels=channels))
    assert image.format == "PNG"
    expected = drawn.pixels(1, channels=channels)
    actual = np.asarray(image.convert("L" if not channels else "RGB"))
    np.testing.assert_array_equal(actual, expected)


def test_the_hash_is_of_pixels_not_of_bytes() -> None:
    hashes = {accepted(drawn.encoded(1, f)).content_hash for f in ("PNG", "BMP")}
    assert len(hashes) == 1
    assert hashes != {accepted(drawn.encoded(2)).content_hash}


def test_the_hash_tells_shapes_apart() -> None:
    flat = drawn.pixels(1, height=20, width=40).reshape(-1)
    wide, high = flat.reshape(20, 40), flat.reshape(40, 20)
    hashes = {accepted(save(Image.fromarray(p))).content_hash for p in (wide, high)}
    assert len(hashes) == 2


def test_odd_modes_are_stored_as_8_bit_grey_or_rgb() -> None:
    grey, rgb = Image.fromarray(drawn.pixels(1)), Image.fromarray(drawn.pixels(1, channels=3))
    deep = Image.fromarray(drawn.pixels(1).astype(np.uint16) * 257)
    for data in (
        save(rgb.convert("CMYK"), "JPEG"),
        save(rgb.quantize(16)),
        save(rgb.convert("RGBA")),
        save(grey.convert("LA")),
        save(grey.convert("1")),
        save(deep),
        save(rgb.quantize(16), transparency=0),
        save(grey, transparency=0),
        save(rgb.convert("RGBA"), "WEBP", lossless=True),
    ):
        image = stored(data)
        assert image.mode in ("L", "RGB")
        assert "transparency" not in image.info
    np.testing.assert_array_equal(np.asarray(stored(save(deep))), drawn.pixels(1))


def test_transparent_pixels_are_white() -> None:
    image = Image.fromarray(drawn.pixels(1, channels=4))
    image.putpixel((0, 0), (10, 20, 30, 0))
    assert stored(save(image)).getpixel((0, 0)) == (255, 255, 255)


def test_an_image_on_its_side_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = accepted(save(Image.fromarray(drawn.pixels(1)), "JPEG", exif=exif))
    assert (image.height, image.width) == (20, 24)
    with Image.open(io.BytesIO(image.encoded)) as turned:
        assert turned.size == (24, 20)
        assert not turned.getexif()


def test_an_animation_stands_for_its_first_frame() -> None:
    frames = [Image.fromarray(drawn.pixels(seed)) for seed in range(3)]
    data = save(frames[0], "PNG", save_all=True, append_images=frames[1:])
    image = stored(data)
    np.testing.assert_array_equal(np.asarray(image), drawn.pixels(0))
    assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Rejection.NOT_AN_IMAGE),
        (b"a text file called .jpg", Rejection.NOT_AN_IMAGE),
        (b"BMW is a car maker", Rejection.NOT_AN_IMAGE),
        (b"PK\x03\x04", Rejection.NOT_AN_IMAGE),
        (save(Image.new("P", (32, 32)), "GIF"), Rejection.NOT_AN_IMAGE),
        (save(Image.new("L", (32, 32)), "TIFF"), Rejection.NOT_AN_IMAGE),
        (b"\xff\xd8\xff", Rejection.TRUNCATED),
        (b"\x89PNG\r\n\x1a\n", Rejection.TRUNCATED),
        (drawn.encoded(1, height=15), Rejection.TOO_SMALL),
        (drawn.encoded(1, width=65), Rejection.TOO_LARGE),
        (drawn.encoded(1) + bytes(1 << 20), Rejection.TOO_LARGE),
        (save(Image.new("L", (32, 32), 77)), Rejection.NEARLY_CONSTANT),
    ],
)
def test_the_reason_is_told(data: bytes, reason: Rejection) -> None:
    assert inspect(data, LIMITS) is reason


@pytest.mark.parametrize("side", [65, 60_000])
def test_a_bomb_is_refused_by_its_header_before_it_is_decoded(side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    assert inspect(bomb, LIMITS) is Rejection.TOO_LARGE


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_no_truncated_image_is_accepted(data: st.DataObject) -> None:
    image_format = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "WEBP"]))
    whole = drawn.encoded(1, image_format)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert isinstance(inspect(whole[:cut], LIMITS), Rejection)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_hostile_bytes_are_judged_and_never_raise(data: st.DataObject) -> None:
    image_format = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "WEBP"]))
    broken = bytearray(drawn.encoded(1, image_format))
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    result = inspect(bytes(broken), LIMITS)
    assert isinstance(result, AcceptedImage | Rejection)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("trailer", [b"#!/bin/sh", b"\xff\xd9 \xff\xda", b"\xff\xda \xff\xd9"])
def test_bytes_after_the_end_of_an_image_are_not_stored(image_format: str, trailer: bytes) -> None:
    image = stored(drawn.encoded(1, image_format) + trailer)
    np.testing.assert_array_equal(
        np.asarray(image), np.asarray(Image.open(io.BytesIO(drawn.encoded(1, image_format))))
    )


def test_pixels_are_stored_losslessly() -> None:
    image = accept_pixels(drawn.pixels(1), LIMITS)
    assert isinstance(image, AcceptedImage)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(image.encoded))), drawn.pixels(1)
    )
    assert image.content_hash == accepted(drawn.encoded(1)).content_hash
    assert accept_pixels(drawn.pixels(1, height=3), LIMITS) is Rejection.TOO_SMALL
