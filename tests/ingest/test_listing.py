"""Listing and fingerprinting a source without opening its files."""

import os
from pathlib import Path

import pytest

from components.image_example_gen.listing import fingerprint, list_folder, rejection_by_name
from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError
from tests.ingest import drawn


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/train/happy/._a.jpg",
        "train/happy/.DS_Store",
        "train/happy/Thumbs.db",
        "train/._a.jpg",
        "top/.ipynb_checkpoints/a.png",
    ],
)
def test_what_systems_leave_behind_is_told_apart(name: str) -> None:
    assert rejection_by_name(name) is Rejection.SYSTEM_FILE


def test_names_with_other_suffixes_are_not_images() -> None:
    assert rejection_by_name("train/happy/inner.zip") is Rejection.NOT_AN_IMAGE
    assert rejection_by_name("train/happy/a.JPG") is None
    assert rejection_by_name("train/happy/no_suffix") is None


def test_a_folder_is_listed_to_any_depth_in_order(tmp_path: Path) -> None:
    names = ["b.png", "a/z.png", "a/b/c/d/e.jpg", "notes.txt"]
    drawn.write_folder(tmp_path, dict.fromkeys(names, b"x"))
    files = list_folder(tmp_path, max_files=10)
    assert [file.name for file in files] == sorted(names)
    assert [file.name for file in files if file.rejection] == ["notes.txt"]


def test_linked_files_count_and_linked_folders_are_not_entered(tmp_path: Path) -> None:
    drawn.write_folder(tmp_path, {"happy/a.png": b"x"})
    (tmp_path / "happy/link.png").symlink_to(tmp_path / "happy/a.png")
    (tmp_path / "happy/broken.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "happy/itself.png").symlink_to("itself.png")
    (tmp_path / "happy/circle").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "happy/pipe.png")
    rejections = {file.name: file.rejection for file in list_folder(tmp_path, max_files=10)}
    assert rejections == {
        "happy/a.png": None,
        "happy/link.png": None,
        "happy/broken.png": Rejection.NOT_A_FILE,
        "happy/itself.png": Rejection.NOT_A_FILE,
        "happy/circle": Rejection.NOT_A_FILE,
        "happy/pipe.png": Rejection.NOT_A_FILE,
    }


def test_a_name_that_is_not_utf8_is_listed_and_can_be_opened(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(path)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (file,) = list_folder(tmp_path, max_files=10)
    assert file.name == "caf\ufffd.png"
    assert Path(os.fsdecode(file.path)).read_bytes() == b"x"


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    drawn.write_folder(tmp_path, {f"{n}.png": b"x" for n in range(4)})
    with pytest.raises(UserError, match="more than 3 files"):
        list_folder(tmp_path, max_files=3)


def test_the_fingerprint_sees_size_time_name_and_place(tmp_path: Path) -> None:
    drawn.write_folder(tmp_path, {"happy/a.png": b"x", "sad/b.png": b"y"})
    os.utime(tmp_path / "happy/a.png", (1, 1))
    seen = [fingerprint(tmp_path)]
    assert fingerprint(tmp_path) == seen[0]

    os.utime(tmp_path / "happy/a.png", (2, 2))
    seen.append(fingerprint(tmp_path))
    (tmp_path / "happy/a.png").rename(tmp_path / "sad/a.png")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "sad/a.png").write_bytes(b"xx")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "sad/a.png").unlink()
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == len(seen)
