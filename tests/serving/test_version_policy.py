"""Which version folders count, and which of them a policy wants loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import file_system_storage_path_source_pb2

from serving.version_policy import aspired_versions, versions_on_disk

FOUND = {version: f"/m/{version}" for version in (1, 2, 9, 10)}


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("", [10]),
        ("latest { }", [10]),
        ("latest { num_versions: 2 }", [9, 10]),
        ("latest { num_versions: 9 }", [1, 2, 9, 10]),
        ("all { }", [1, 2, 9, 10]),
        ("specific { versions: 2 versions: 7 }", [2]),
    ],
)
def test_policy(policy: str, wanted: list[int]) -> None:
    message = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig
    proto = text_format.Parse(policy, message.ServableVersionPolicy())
    assert aspired_versions(proto, FOUND) == wanted


def test_only_folders_named_by_an_integer_are_versions(tmp_path: Path) -> None:
    for name in ("1", "007", "v2", ".partial-3", "-4", "99999999999999999999", "٣"):
        (tmp_path / name).mkdir()
    (tmp_path / "5").write_text("a file")
    assert sorted(versions_on_disk(str(tmp_path))) == [1, 7]


def test_a_missing_base_path_is_an_error_rather_than_no_versions(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        versions_on_disk(str(tmp_path / "missing"))
