"""A manifest is read back as written and tells every difference in the files it lists."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.manifest import (
    MANIFEST_FILE,
    FileRecord,
    Manifest,
    model_fingerprint,
    record_files,
    verify_version,
)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "labels.txt").write_text("angry\nhappy\n")
    (tmp_path / "saved_model.pb").write_text("graph")
    Manifest(model_name="expression", version=7, files=record_files(tmp_path)).write(tmp_path)
    return tmp_path


def test_is_read_back_as_written(version: Path) -> None:
    manifest = Manifest.read(version)
    manifest.settings = {"train": {"epochs": 3}}
    manifest.data.counts = {"accepted": 32_000}
    manifest.write(version)
    assert Manifest.read(version) == manifest


def test_unchanged_version_has_no_problems(version: Path) -> None:
    assert verify_version(version) == []


def test_tells_of_missing_changed_and_added_files(version: Path) -> None:
    (version / "assets" / "labels.txt").unlink()
    (version / "saved_model.pb").write_text("grapf")
    (version / "extra").write_text("")
    assert verify_version(version) == [
        "assets/labels.txt is missing",
        "extra is not listed",
        "saved_model.pb has changed: its sha256 differs",
    ]


def test_tells_of_a_truncated_file(version: Path) -> None:
    (version / "saved_model.pb").write_text("gr")
    assert verify_version(version) == ["saved_model.pb has 2 bytes, not 5"]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"model_name": "e", "format_version": 99}'])
def test_what_is_no_manifest_is_one_clear_sentence(version: Path, text: str) -> None:
    (version / MANIFEST_FILE).write_text(text)
    with pytest.raises(UserError, match="is not a manifest of format 1") as error:
        Manifest.read(version)
    assert "\n" not in str(error.value)


def test_unreadable_manifest_is_one_clear_sentence(version: Path) -> None:
    (version / MANIFEST_FILE).unlink()
    (version / MANIFEST_FILE).mkdir()
    with pytest.raises(UserError, match=r"manifest\.json can't be read: Is a directory\."):
        Manifest.read(version)


def test_missing_manifest_is_a_problem(version: Path) -> None:
    (version / MANIFEST_FILE).unlink()
    assert "has no manifest.json" in verify_version(version)[0]


NAMES = st.text("abc/.", min_size=1, max_size=5)
RECORDS = st.builds(
    FileRecord, sha256=st.sampled_from(["0" * 64, "1" * 64]), bytes=st.integers(0, 3)
)


@given(st.dictionaries(NAMES, RECORDS, max_size=4), st.dictionaries(NAMES, RECORDS, max_size=4))
def test_fingerprint_is_of_names_and_contents(
    left: dict[str, FileRecord], right: dict[str, FileRecord]
) -> None:
    contents = [{name: record.sha256 for name, record in files.items()} for files in (left, right)]
    assert (model_fingerprint(left) == model_fingerprint(right)) == (contents[0] == contents[1])
    assert model_fingerprint(dict(reversed(list(left.items())))) == model_fingerprint(left)
