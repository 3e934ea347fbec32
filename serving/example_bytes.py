"""Finds the images in a serialized tf.Example: all that TensorFlow's parser may find.

That parser is not protobuf's. It takes keys that are no UTF-8, a feature of two kinds, bytes after
a feature, and lengths beyond the end, where protobuf refuses the whole message or drops the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from serving.image_bounds import MAGIC

_PATH = (1, 1, 2, 1, 1)
"""Fields from an Example to a value: features, feature, its value, bytes_list, value."""

# A value's tag and length, and how an image begins. Few other bytes hold one, and are not walked.
_IMAGE_VALUE = re.compile(
    rb"\x0a[\x80-\xff]{0,9}[\x00-\x7f](?:" + b"|".join(map(re.escape, MAGIC)) + b")"
)
_MAX_VARINT = 10
_NEGATIVE = 1 << 31


def image_values(serialized: bytes) -> Iterator[bytes]:
    """Byte values of a serialized tf.Example if one may be an image; none for anything else.

    What protobuf would drop is among them.
    """
    if _IMAGE_VALUE.search(serialized):
        yield from _values(serialized, _PATH, 0, len(serialized))


def _values(data: bytes, path: tuple[int, ...], start: int, end: int) -> Iterator[bytes]:
    for inner_start, inner_end in _spans(data, path[0], start, end):
        if len(path) > 1:
            yield from _values(data, path[1:], inner_start, inner_end)
        else:
            yield data[inner_start:inner_end]


def _spans(data: bytes, field: int, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Start and end of each length-delimited `field`, up to the first byte that makes none."""
    # TensorFlow looks for the one byte that a tag should be, and skips longer forms of it.
    wanted = field << 3 | 2
    while position < end:
        first = data[position]
        tag, position = (first, position + 1) if first < 0x80 else _varint(data, position, end)
        kind = tag & 7
        if kind == 1:
            position += 8
        elif kind == 5:
            position += 4
        elif kind in (0, 2):
            if position < end and data[position] < 0x80:
                size, position = data[position], position + 1
            else:
                size, position = _varint(data, position, end)
            if first == wanted:
                stop = min(position + size, end)
                if position < stop:
                    yield position, stop
                position = stop
            elif kind == 2 and size < _NEGATIVE:
                position += size
            # A size that TensorFlow takes for negative it does not skip: it goes on behind it.
        else:
            return


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The lower 32 bits of a varint, and what comes after it: `end` if it is none."""
    value = 0
    for index in range(position, min(position + _MAX_VARINT, end)):
        byte = data[index]
        value |= (byte & 0x7F) << 7 * (index - position)
        if byte < 0x80:
            return value & 0xFFFFFFFF, index + 1
    return 0, end
