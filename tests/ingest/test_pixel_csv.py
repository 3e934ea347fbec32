"""Reading pixels from fer2013.csv."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_example_gen.pixel_csv import parse_pixels, place_row, read_range, scan_csv
from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError

COLUMNS = {"emotion": 0, "pixels": 1, "usage": 2}
SPLITS = {"training": "train", "privatetest": "eval"}


def place(*fields: str) -> object:
    return place_row(fields, COLUMNS, ("angry", "disgust"), SPLITS, {"anger": "angry"})


@given(rows=st.integers(1, 40), per_range=st.integers(1, 45))
def test_ranges_together_hold_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, rows: int, per_range: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "fer2013.csv"
    lines = [f'{n},"{n} {n}",Training' for n in range(1, rows + 1)]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines, "", ""]))
    table = scan_csv(path, per_range)
    assert table.columns == COLUMNS
    assert table.rows == rows
    read = [row for lines in table.ranges for row in read_range(path, lines)]
    assert read == [(n, [str(n), f"{n} {n}", "Training"]) for n in range(1, rows + 1)]


@pytest.mark.parametrize("blank", ["\u00a0", "\u3000", "\x1c"])
def test_every_row_that_is_counted_is_read(tmp_path: Path, blank: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n0,1 2 3 4,Training\n{blank}\n \n1,1 2 3 4,Training\n")
    table = scan_csv(path, 10)
    rows = [row for lines in table.ranges for row in read_range(path, lines)]
    assert [number for number, _ in rows] == [1, 2, 3]
    assert table.rows == len(rows)


def test_columns_may_stand_in_any_order_with_marks_and_crlf(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes("\ufeffUsage, Pixels,emotion\r\nTraining,1 2 3 4,0\r\n".encode())
    table = scan_csv(path, 10)
    assert table.columns == {"usage": 0, "pixels": 1, "emotion": 2}
    assert list(read_range(path, table.ranges[0])) == [(1, ["Training", "1 2 3 4", "0"])]


def test_a_csv_without_the_columns_or_rows_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no column 'emotion'"):
        scan_csv(path, 10)
    # Without a header, the first line is a row, and its pixels may be many.
    path.write_text(f'0,"{"255 " * 50_000}",Training\n')
    with pytest.raises(UserError, match="no column 'emotion'"):
        scan_csv(path, 10)
    path.write_text("emotion,pixels\n")
    with pytest.raises(UserError, match="no rows"):
        scan_csv(path, 10)
    path.write_text("pixels\n1 2\n")
    assert scan_csv(path, 10, unlabelled=True).rows == 1


def test_numbers_names_and_usages_are_placed() -> None:
    assert place("1", "", "Training") == ("train", "disgust", "Training")
    assert place(" Anger ", "", "PrivateTest") == ("eval", "angry", "PrivateTest")


@pytest.mark.parametrize(
    "fields",
    [
        ("7", "", "Training"),
        ("9" * 5000, "", "Training"),
        ("", "", "Training"),
        ("0", "", "Other"),
        ("0", ""),
        (),
    ],
    ids=["no such number", "5000 digits", "no label", "no such usage", "no usage", "nothing"],
)
def test_rows_without_a_known_label_or_usage_are_rejected(fields: tuple[str, ...]) -> None:
    assert place(*fields) is Rejection.UNKNOWN_LABEL


def test_pixels_become_a_square_image() -> None:
    pixels = parse_pixels("0 1 2 255")
    np.testing.assert_array_equal(pixels, np.array([[0, 1], [2, 255]], np.uint8))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Rejection.NOT_AN_IMAGE),
        ("1 2 3 red", Rejection.NOT_AN_IMAGE),
        ("1 2 3 256", Rejection.NOT_AN_IMAGE),
        ("1 2 3 -1", Rejection.NOT_AN_IMAGE),
        ("1 2 3 99999999999999999999999", Rejection.NOT_AN_IMAGE),
        ("1 2 3", Rejection.TRUNCATED),
    ],
)
def test_pixels_that_make_no_image_are_rejected(text: str, reason: Rejection) -> None:
    assert parse_pixels(text) is reason
