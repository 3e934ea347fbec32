"""Reads how many pixels an encoded image decodes to, without decoding it.

A few kilobytes can declare an image of gigabytes; a request is refused on what it declares.
Formats are those that `tf.io.decode_image` takes: PNG, JPEG, GIF, BMP, WebP and JPEG XL. Each is
read the way TensorFlow's decoder reads it, faults included: what the decoder forgives is decoded.
"""

from __future__ import annotations

import re
import struct

from serving.image_frames import gif_pixels, webp_frame_pixels

_JPEG, _PNG, _BMP, _RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"
_GIF = b"GIF8"  # TensorFlow does not look at the rest of the version.
_JPEG_XL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
MAGIC = (_JPEG, _PNG, _GIF, _BMP, _RIFF, *_JPEG_XL)
"""How every image begins that `tf.io.decode_image` takes."""

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_HEADER_ENDS = frozenset({0xD9, 0xDA})
# What libjpeg takes for the next marker with a segment: it skips anything before a 0xFF, repeated
# 0xFF, a stuffed zero, and markers that stand alone.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_WEBP_ANIMATION, _WEBP_ALPHA = 0x02, 0x10


class RefusedImageError(ValueError):
    """An image that must not reach a decoder; the message goes on after its name."""


def _unreadable(kind: str) -> RefusedImageError:
    return RefusedImageError(f"is a {kind} whose size cannot be read before it is decoded")


def pixel_count(data: bytes) -> int | None:
    """Pixels that an encoded image decodes to, those of all frames of an animation.

    Returns:
      The pixels that it declares, or None when it is no known image.

    Raises:
      RefusedImageError: it begins like an image, and its size is not where it must be, or it makes
        TensorFlow write beyond its memory.
    """
    if data.startswith(_JPEG):
        return _jpeg_pixels(data)
    if data.startswith(_PNG):
        return _png_pixels(data)
    if data.startswith(_GIF):
        pixels = gif_pixels(data)
        if pixels is None:
            raise _unreadable("GIF")
        return pixels
    # Shorter ones no decoder takes, and the two letters also begin words.
    if data.startswith(_BMP) and len(data) >= 26:
        # Of the bitmap headers TensorFlow knows only the one with four bytes for each side.
        width, height = struct.unpack_from("<ii", data, 18)
        return int(abs(width) * abs(height))
    if data.startswith(_RIFF) and data[8:12] == b"WEBP":
        return _webp_pixels(data)
    if data.startswith(_JPEG_XL):
        # Its frames have sizes of their own, further on in a packed stream.
        raise _unreadable("JPEG XL")
    return None


def _png_pixels(data: bytes) -> int:
    # libpng skips chunks that it does not know, also before the header.
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise _unreadable("PNG")
    width, height = struct.unpack_from(">II", data, 16)
    return int(width * height)


def _webp_pixels(data: bytes) -> int:
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        if data[20] & _WEBP_ANIMATION and not data[20] & _WEBP_ALPHA:
            # TensorFlow 2.21 makes room for three bytes a pixel, and libwebp writes four.
            raise RefusedImageError("is a WebP animation without transparency")
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        return max(width * height, webp_frame_pixels(data))
    if chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    if chunk == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack_from("<HH", data, 26)
        return int((width & 0x3FFF) * (height & 0x3FFF))
    # libwebp also takes the bare stream of an image here.
    raise _unreadable("WebP")


def _jpeg_pixels(data: bytes) -> int:
    pixels, position = -1, 2
    while match := _JPEG_MARKER.search(data, position):
        position = match.end()
        marker = data[position - 1]
        if marker in _JPEG_HEADER_ENDS:
            break
        if marker in _JPEG_FRAMES and position + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, position + 3)
            pixels = max(pixels, height * width)
        # The length counts its own two bytes, which libjpeg takes whatever they say.
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
    if pixels < 0:
        raise _unreadable("JPEG")
    return pixels
