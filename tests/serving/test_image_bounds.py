"""Image dimensions come from the header, whatever the rest of the bytes."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.image_bounds import pixel_count


@given(st.sampled_from([".png", ".jpg", ".bmp", ".webp"]), st.integers(1, 64), st.integers(1, 64))
def test_declared_pixels_of_real_encoders(suffix: str, height: int, width: int) -> None:
    ok, encoded = cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))
    assert ok
    assert pixel_count(encoded.tobytes()) == height * width


def test_a_gif_header() -> None:
    assert pixel_count(b"GIF89a" + struct.pack("<HH", 3, 5) + b"\0\0\0") == 15


def test_webp_headers_of_each_kind() -> None:
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (2 | 4 << 14).to_bytes(4, "little") + b"\0" * 9
    assert pixel_count(lossless) == 15
    canvas = (99).to_bytes(3, "little") + (9).to_bytes(3, "little")
    assert pixel_count(b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + canvas) == 1000


def test_a_bomb_is_seen_without_its_data() -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 100_000, 100_000)
    assert pixel_count(header) == 10_000_000_000


@pytest.mark.parametrize("data", [b"", b"BM", b"\xff\xd8\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_a_cut_header_is_no_known_image(data: bytes) -> None:
    assert pixel_count(data) is None


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"BM", b"GIF87a", b"RIFF\0\0\0\0WEBPVP8 "]),
)
def test_any_bytes_are_read_without_an_error(data: bytes, magic: bytes) -> None:
    count = pixel_count(magic + data)
    assert count is None or count >= 0
