"""Encoded images, and parts of their formats to damage them with."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

WIDTH, HEIGHT = 40, 30
PIXELS = WIDTH * HEIGHT
COMMENT = b"\xff\xfe\0\x04hi"
SMALL_FRAME = b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0"


def encode(kind: str, *, frames: int = 1, **options: object) -> bytes:
    mode = "RGBA" if frames > 1 else "RGB"
    colours = [(80 * frame, 7, 7, 100)[: len(mode)] for frame in range(frames)]
    images = [Image.new(mode, (WIDTH, HEIGHT), colour) for colour in colours]
    with io.BytesIO() as file:
        if frames > 1:
            options |= {"save_all": True, "append_images": images[1:]}
        images[0].save(file, kind, **options)
        return file.getvalue()


JPEG, PNG, BMP, GIF = (encode(kind) for kind in ("JPEG", "PNG", "BMP", "GIF"))
WEBP, WEBP_LOSSLESS = encode("WEBP"), encode("WEBP", lossless=True)
ANIMATIONS = [encode("GIF", frames=3), encode("WEBP", frames=3)]


def after_first_segment(inserted: bytes) -> bytes:
    """The JPEG with something between two of its segments."""
    position = 4 + int.from_bytes(JPEG[4:6], "big")
    return JPEG[:position] + inserted + JPEG[position:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def gif(screen: tuple[int, int], *records: bytes, version: bytes = b"89a") -> bytes:
    return b"GIF" + version + struct.pack("<HHBBB", *screen, 0, 0, 0) + b"".join(records) + b";"


def gif_frame(width: int, height: int) -> bytes:
    data = b"\x02\x02\x4c\x01\0"
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0x80) + b"\0" * 6 + data
