"""What a data path may name."""

from pathlib import Path

import pytest

from components.image_example_gen.source import any_span, resolve_source
from pipeline.errors import UserError
from tests.ingest import drawn


def test_a_zip_is_taken_from_its_own_folder(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "archive.zip", {"a.png": b"x"})
    assert resolve_source(str(archive)) == ("zip", str(tmp_path), "archive.zip")


def test_a_zip_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "archive.bin", {"a.png": b"x"})
    assert resolve_source(str(archive)).kind == "zip"


def test_a_folder_is_the_pattern_below_its_parent(tmp_path: Path) -> None:
    drawn.write_folder(tmp_path / "faces", {"happy/a.png": b"x"})
    assert resolve_source(f"{tmp_path}/faces/") == ("folder", str(tmp_path), "faces")


def test_a_csv_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    assert resolve_source(f"{tmp_path}/fer2013.csv").kind == "csv"


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [("span-{SPAN}/v{VERSION:2}/archive.zip", "zip"), ("{YYYY}-{MM}-{DD}", "folder")],
)
def test_span_patterns_start_below_the_last_plain_folder(
    tmp_path: Path, pattern: str, kind: str
) -> None:
    assert resolve_source(f"{tmp_path}/{pattern}") == (kind, str(tmp_path), pattern)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn.write_zip(tmp_path / "archive.zip", {"a.png": b"x"})
    monkeypatch.chdir(tmp_path)
    assert resolve_source("archive.zip").input_base == str(tmp_path)


def test_every_unusable_path_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.zip").touch()
    (tmp_path / "page.zip").write_bytes(b"<html>not found</html>")
    (tmp_path / "notes.txt").write_text("hello")
    whole = drawn.write_zip(tmp_path / "whole.zip", drawn.labelled()).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    for name, said in {
        "missing.zip": "does not exist",
        "empty": "is empty",
        "empty.zip": "is empty",
        "page.zip": "not a zip archive",
        "cut.zip": "cut short",
        "notes.txt": "not a zip archive, a folder or a .csv",
        "nowhere/{SPAN}/a.zip": "does not exist",
    }.items():
        with pytest.raises(UserError, match=said):
            resolve_source(f"{tmp_path}/{name}")
    with pytest.raises(UserError, match="empty"):
        resolve_source(" ")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/faces/archive.zip", "/faces/archive.zip"),
        ("/faces/{SPAN}/v{VERSION:2}/[a].zip", "/faces/*/v*/[[]a].zip"),
        ("/faces/{YYYY}-{MM}-{DD}", "/faces/*-*-*"),
    ],
)
def test_every_span_of_a_path_is_found_by_a_glob(path: str, expected: str) -> None:
    assert any_span(path) == expected
