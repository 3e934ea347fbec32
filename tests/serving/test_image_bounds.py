"""Pixels are counted before decoding, and are never fewer than TensorFlow decodes to."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.image_bounds import RefusedImageError, pixel_count
from tests.serving.images import (
    ANIMATIONS,
    BMP,
    COMMENT,
    GIF,
    HEIGHT,
    JPEG,
    PIXELS,
    PNG,
    SMALL_FRAME,
    WEBP,
    WEBP_LOSSLESS,
    WIDTH,
    after_first_segment,
    gif,
    gif_frame,
    png_chunk,
)


def decoded_pixels(data: bytes) -> int:
    """Pixels that TensorFlow makes of it; 0 when it does not decode it."""
    try:
        shape = tf.io.decode_image(data, expand_animations=False).shape
    except tf.errors.InvalidArgumentError:
        return 0
    return int(shape[0] * shape[1])


@given(st.sampled_from([".png", ".jpg", ".bmp", ".webp"]), st.integers(1, 64), st.integers(1, 64))
def test_declared_pixels_of_real_encoders(suffix: str, height: int, width: int) -> None:
    ok, encoded = cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))
    assert ok
    assert pixel_count(encoded.tobytes()) == height * width


def test_webp_headers_of_each_kind() -> None:
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (2 | 4 << 14).to_bytes(4, "little") + b"\0" * 9
    assert pixel_count(lossless) == 15
    canvas = (99).to_bytes(3, "little") + (9).to_bytes(3, "little")
    assert pixel_count(b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + canvas) == 1000


def test_a_bomb_is_seen_without_its_data() -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 100_000, 100_000)
    assert pixel_count(header) == 10_000_000_000


@pytest.mark.parametrize("data", [b"", b"BM", b"BMW, Audi and Opel", b"RIFF\0\0\0\0WAVEfmt "])
def test_what_no_decoder_takes_is_no_image(data: bytes) -> None:
    assert pixel_count(data) is None


@pytest.mark.parametrize(
    "data",
    [b"\xff\xd8\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", JPEG[:100], WEBP[:28]],
)
def test_an_image_cut_before_its_size_has_none_to_read(data: bytes) -> None:
    with pytest.raises(RefusedImageError):
        pixel_count(data)


@pytest.mark.parametrize(
    "junk",
    [
        b"\0",
        b"\xff",
        b"\xff\0",
        b"\xff\xff\0",
        b"\xff\xd0",
        b"\xff\x01",
        b"junk" + COMMENT + b"junk",
        b"\xff\xfe\0\0",
        b"\xff\xfe\0\1",
    ],
)
def test_junk_between_the_segments_of_a_jpeg_is_skipped(junk: bytes) -> None:
    data = after_first_segment(junk)
    assert pixel_count(data) == decoded_pixels(data) == PIXELS


def test_of_several_sizes_of_a_jpeg_the_largest_counts() -> None:
    assert pixel_count(after_first_segment(SMALL_FRAME)) == PIXELS


def test_a_jpeg_without_a_size_before_its_pixels_is_not_counted() -> None:
    with pytest.raises(RefusedImageError, match="is a JPEG whose size cannot be read"):
        pixel_count(JPEG[:2] + b"\xff\xda\0\2" + JPEG[2:])


@pytest.mark.parametrize("run", [b"\xff", b"\0", b"\xff\0", b"\xff\xd0"])
def test_a_long_run_of_junk_takes_no_longer_than_its_length(run: bytes) -> None:
    assert pixel_count(after_first_segment(run * 2**20)) == PIXELS


def test_a_png_whose_header_is_not_first_is_not_counted() -> None:
    data = PNG[:8] + png_chunk(b"abCd", struct.pack(">II", 1, 1)) + PNG[8:]
    assert decoded_pixels(data) == PIXELS
    with pytest.raises(RefusedImageError, match="is a PNG whose size"):
        pixel_count(data)


def test_a_bitmap_from_top_to_bottom_has_a_negative_height() -> None:
    data = BMP[:22] + struct.pack("<i", -HEIGHT) + BMP[26:]
    assert pixel_count(data) == decoded_pixels(data) == PIXELS


def test_an_old_bitmap_is_counted_as_tensorflow_reads_it() -> None:
    header = struct.pack("<IHHI", 26 + 12, 0, 0, 26) + struct.pack("<IHHHH", 12, 1, 1, 1, 24)
    assert pixel_count(b"BM" + header + b"\0" * 12) == (1 << 16 | 1) * (24 << 16 | 1)


def test_the_frames_of_a_gif_count_whatever_its_screen() -> None:
    assert pixel_count(gif((1, 1), *[gif_frame(3, 5)] * 4)) == 60
    assert pixel_count(gif((3, 5))) == 15
    assert pixel_count(gif((9, 9), gif_frame(3, 5), gif_frame(1, 1))) == 81


def test_a_gif_is_drawn_as_wide_as_its_widest_and_as_high_as_its_highest_frame() -> None:
    data = gif((1, 1), gif_frame(300, 1), gif_frame(1, 200))
    assert pixel_count(data) == 60_000


@pytest.mark.parametrize("version", [b"87a", b"88x"])
def test_a_gif_of_any_version_is_counted(version: bytes) -> None:
    data = gif((1, 1), gif_frame(1, 1), version=version)
    assert pixel_count(data) == decoded_pixels(data) == 1


def test_extensions_of_a_gif_are_stepped_over() -> None:
    extension = b"!\xf9\x04\0\0\0\0\0" + b"!\xfe\x03,,,\x02;;\0"
    assert pixel_count(gif((1, 1), extension, gif_frame(3, 5))) == 15


def test_a_gif_that_hides_a_frame_behind_an_empty_extension_is_not_counted() -> None:
    hidden = gif((1, 1), b"!\xfe\0" + b"\x03abc\0", gif_frame(1, 1))
    assert decoded_pixels(hidden) == 1
    with pytest.raises(RefusedImageError, match="is a GIF whose size"):
        pixel_count(hidden)


@pytest.mark.parametrize("data", ANIMATIONS, ids=["gif", "webp"])
def test_every_frame_of_an_animation_counts(data: bytes) -> None:
    assert tf.io.decode_image(data).shape[:3] == (3, HEIGHT, WIDTH)
    assert pixel_count(data) == 3 * PIXELS


@pytest.mark.parametrize("data", [WEBP, WEBP_LOSSLESS], ids=["lossy", "lossless"])
def test_a_webp_file_without_chunks_is_not_counted(data: bytes) -> None:
    bare = b"RIFF" + struct.pack("<I", len(data) - 16) + b"WEBP" + data[20:]
    assert decoded_pixels(bare) == PIXELS
    with pytest.raises(RefusedImageError, match="is a WebP whose size"):
        pixel_count(bare)


def test_a_webp_animation_without_transparency_is_refused() -> None:
    """TensorFlow 2.21 writes beyond its memory for it, so it is not decoded here."""
    animation = ANIMATIONS[1]
    opaque = animation[:20] + bytes([animation[20] & ~0x10]) + animation[21:]
    with pytest.raises(RefusedImageError, match="is a WebP animation without transparency"):
        pixel_count(opaque)


@pytest.mark.parametrize("start", [b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"])
def test_a_jpeg_xl_is_not_counted(start: bytes) -> None:
    with pytest.raises(RefusedImageError, match="is a JPEG XL whose size"):
        pixel_count(start + b"\0" * 40)


EDITS = st.lists(
    st.tuples(
        st.integers(0, 80),
        st.binary(min_size=1, max_size=12)
        | st.sampled_from(
            [COMMENT, SMALL_FRAME, gif_frame(3, 5), b"!\xfe\0", png_chunk(b"abCd", b"12345678")]
        ),
        st.booleans(),
    ),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([JPEG, PNG, BMP, GIF, WEBP, WEBP_LOSSLESS, *ANIMATIONS]),
    EDITS,
)
def test_no_damaged_image_decodes_to_more_than_was_counted(
    image: bytes, edits: list[tuple[int, bytes, bool]]
) -> None:
    for position, piece, replaces in edits:
        rest = position + len(piece) if replaces else position
        image = image[:position] + piece + image[rest:]
    try:
        count = pixel_count(image) or 0
    except RefusedImageError:
        return
    if count < 10**7:  # More than that would be decoded for nothing.
        assert decoded_pixels(image) <= count


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"BM", b"GIF87a", b"RIFF\0\0\0\0WEBPVP8 ", WEBP[:30], GIF[:13]]
    ),
)
def test_any_bytes_are_counted_or_refused(data: bytes, magic: bytes) -> None:
    try:
        count = pixel_count(magic + data)
    except RefusedImageError:
        return
    assert count is None or count >= 0
