"""What a data path may name."""

import errno
import os
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


@pytest.mark.parametrize("name", ["{0}", "{0}/archive.zip", "{0}/{{SPAN}}/archive.zip"])
def test_a_name_too_long_for_the_system_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="can't be read: File name too long"):
        resolve_source(f"{tmp_path}/{name.format('x' * 300)}")


@pytest.mark.parametrize("name", ["closed/archive.zip", "closed/faces", "closed/a/{SPAN}.zip"])
def test_a_path_below_a_folder_that_is_closed_to_the_user_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.is_relative_to(tmp_path / "closed"):  # No folder is closed to root.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UserError, match="can't be read: Permission denied"):
        resolve_source(f"{tmp_path}/{name}")


def test_the_home_folder_of_nobody_is_one_sentence() -> None:
    with pytest.raises(UserError, match="begins with ~no-such-user, which is nobody's home"):
        resolve_source("~no-such-user/archive.zip")


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
