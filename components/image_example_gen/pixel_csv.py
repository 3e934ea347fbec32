"""Reads images written out in a CSV, as fer2013.csv is: `emotion,pixels,Usage`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from components.image_example_gen.layout import Placement, class_name, fold
from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError

_MAX_LINE_BYTES = 64 << 20
# Looking a number up takes half the time of parsing it, and there are 80 million of them.
_PIXEL_VALUES = {str(value): value for value in range(256)}


class CsvRange(NamedTuple):
    """Consecutive lines of a file.

    Attributes:
      start: Offset of the first, in bytes.
      end: Offset after the last, in bytes.
      first_row: Number of the first; 1 is the line after the header.
    """

    start: int
    end: int
    first_row: int


class CsvTable(NamedTuple):
    """Where things are in a pixel CSV."""

    columns: dict[str, int]
    ranges: list[CsvRange]
    rows: int


def scan_csv(path: Path, rows_per_range: int, unlabelled: bool = False) -> CsvTable:
    """Reads the header and cuts the rest into ranges, in one pass and constant memory.

    Raises:
      UserError: A needed column is missing, there are no rows, or a line has no end in sight.
    """
    with path.open("rb") as file:
        header = _readline(file, path).decode("utf-8-sig", "replace")
        columns = {fold(name): index for index, name in enumerate(_fields(header))}
        for needed in ("pixels",) if unlabelled else ("emotion", "pixels"):
            if needed not in columns:
                raise UserError(
                    f"The data file {path} has no column {needed!r}; its first line must be "
                    "emotion,pixels,Usage."
                )
        ranges = []
        rows = 0
        start = end = file.tell()
        first_row = 1
        while line := _readline(file, path):
            end += len(line)
            if not line.strip():
                continue
            rows += 1
            if rows % rows_per_range == 0:
                ranges.append(CsvRange(start, end, first_row))
                start, first_row = end, rows + 1
        if end > start:
            ranges.append(CsvRange(start, end, first_row))
    if not rows:
        raise UserError(f"The data file {path} has a header and no rows.")
    return CsvTable(columns, ranges, rows)


def read_range(path: Path, lines: CsvRange) -> Iterator[tuple[int, list[str]]]:
    """Yields row number and fields of each line of a range."""
    with path.open("rb") as file:
        file.seek(lines.start)
        row = lines.first_row
        while file.tell() < lines.end:
            line = file.readline()
            if not line.strip():
                continue
            yield row, _fields(line.decode("utf-8", "replace"))
            row += 1


def place_row(
    fields: Sequence[str],
    columns: Mapping[str, int],
    class_names: Sequence[str],
    split_aliases: Mapping[str, str],
    class_aliases: Mapping[str, str],
) -> Placement | Rejection:
    """Split and class of a row.

    Args:
      fields: The row.
      columns: Case-folded column name to position.
      class_names: Class of each number in the emotion column; other text there names a class
        itself.
      split_aliases: Case-folded usage to split. Without a Usage column the content hash decides.
      class_aliases: Case-folded name to class.
    """
    emotion = fields[columns["emotion"]].strip() if columns["emotion"] < len(fields) else ""
    if emotion.isdecimal():
        try:
            emotion = class_names[int(emotion)]
        except (IndexError, ValueError):  # `int` refuses a number of thousands of digits.
            return Rejection.UNKNOWN_LABEL
    if not emotion:
        return Rejection.UNKNOWN_LABEL
    label = class_name(emotion, class_aliases)
    if "usage" not in columns:
        return Placement(None, label)
    usage = fields[columns["usage"]].strip() if columns["usage"] < len(fields) else ""
    split = split_aliases.get(fold(usage))
    return Rejection.UNKNOWN_LABEL if split is None else Placement(split, label, usage)


def parse_pixels(text: str) -> npt.NDArray[np.uint8] | Rejection:
    """A square grey image from numbers of 0 to 255 with spaces between.

    Returns:
      uint8[side, side], or why there is none.
    """
    try:
        values = bytes(map(_PIXEL_VALUES.__getitem__, text.split()))
    except KeyError:
        return Rejection.NOT_AN_IMAGE
    side = math.isqrt(len(values))
    if not side:
        return Rejection.NOT_AN_IMAGE
    if side * side != len(values):
        return Rejection.TRUNCATED
    return np.frombuffer(values, np.uint8).reshape(side, side)


def _fields(line: str) -> list[str]:
    # Not the csv module, which bounds a field. A line is a row: pixels and labels hold no line
    # breaks, quoted or not.
    return line.strip("\r\n").replace('"', "").split(",")


def _readline(file: BinaryIO, path: Path) -> bytes:
    line = file.readline(_MAX_LINE_BYTES)
    if len(line) == _MAX_LINE_BYTES:
        raise UserError(f"The data file {path} has a line of more than {_MAX_LINE_BYTES:,} bytes.")
    return line
