"""Adds up the frames of the formats that have several, GIF and WebP, without decoding them."""

from __future__ import annotations

import struct


def gif_pixels(data: bytes) -> int | None:
    """Pixels that giflib and TensorFlow make room for.

    giflib keeps every frame, whatever the screen's size. TensorFlow draws on a canvas that is as
    wide as the widest frame and as high as the highest.

    Returns:
      The largest of the screen, the canvas and the sum of the frames; None when decoders would not
      agree where the frames are.
    """
    if len(data) < 13:
        return None
    screen = struct.unpack_from("<HH", data, 6)
    position = 13 + _colour_table(data[10])
    widths, heights, total = 0, 0, 0
    while position < len(data):
        record = data[position : position + 1]
        if record == b"," and position + 10 <= len(data):
            width, height, packed = struct.unpack_from("<HHB", data, position + 5)
            widths, heights = max(widths, width), max(heights, height)
            total += width * height
            position += 11 + _colour_table(packed)
        elif record == b"!":
            # giflib reads on after an empty extension, over what others take for frames.
            if data[position + 2 : position + 3] == b"\0":
                return None
            position += 2
        else:
            break  # The end, or a fault at which giflib stops too.
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return int(max(screen[0] * screen[1], widths * heights, total))


def _colour_table(packed: int) -> int:
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def webp_frame_pixels(data: bytes) -> int:
    """Sum of the pixels of a WebP animation's frames, each no larger than the canvas."""
    total, position = 0, 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"ANMF":
            width = 1 + int.from_bytes(data[position + 14 : position + 17], "little")
            height = 1 + int.from_bytes(data[position + 17 : position + 20], "little")
            total += width * height
        position += 8 + size + size % 2
    return total
