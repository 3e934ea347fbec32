"""Unpacking archives: honest ones whole, hostile ones not at all."""

import os
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.image_example_gen.archive_limits import ArchiveLimits
from components.image_example_gen.extraction import extract
from components.image_example_gen.listing import SourceFile
from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError
from tests.ingest import drawn

LIMITS = ArchiveLimits(max_files=1000, max_file_bytes=4 << 20, max_total_bytes=8 << 20)


def unpack(archive: Path, limits: ArchiveLimits = LIMITS) -> list[SourceFile]:
    return extract(archive, archive.parent / "extracted", "key", limits)


def contents(files: list[SourceFile]) -> dict[str, bytes]:
    found = {}
    for file in files:
        if not file.rejection:
            data = Path(os.fsdecode(file.path)).read_bytes()
            found[file.name] = data[file.offset : file.offset + file.size]
    return found


def below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def refused(archive: Path, said: str, limits: ArchiveLimits = LIMITS) -> None:
    """Asserts a UserError, and that not one file has appeared."""
    before = below(archive.parent)
    with pytest.raises(UserError, match=said):
        unpack(archive, limits)
    assert below(archive.parent) == before


def archive_of(tmp_path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/happy/first.png", b"first")
        for member, data in members:
            archive.writestr(member, data)
    return path


def special(name: str, mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = mode << 16
    return member


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_file_is_listed_and_images_are_unpacked_as_they_were(
    tmp_path: Path, method: int
) -> None:
    images = drawn.labelled()
    others = {"notes.txt": b"hello", "__MACOSX/train/happy/._1.png": b"", "inner.zip": b"PK"}
    files = unpack(drawn.write_zip(tmp_path / "a.zip", images | others, method))
    assert contents(files) == images
    assert [file.name for file in files] == sorted(images | others)
    assert {file.name: file.rejection for file in files if file.rejection} == {
        "notes.txt": Rejection.NOT_AN_IMAGE,
        "inner.zip": Rejection.NOT_AN_IMAGE,
        "__MACOSX/train/happy/._1.png": Rejection.SYSTEM_FILE,
    }


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.png",
        "train/../../escaped.png",
        "/etc/escaped.png",
        "C:\\escaped.png",
        "c:escaped.png",
        "..\\escaped.png",
        "\\\\server\\share\\escaped.png",
        "train\\..\\..\\escaped.png",
    ],
)
def test_a_name_that_leads_out_refuses_the_archive(tmp_path: Path, name: str) -> None:
    refused(archive_of(tmp_path, (name, b"x")), r"member .*escaped\.png")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFCHR | 0o666, "device"),
        (stat.S_IFBLK | 0o666, "device"),
        (stat.S_IFIFO | 0o666, "pipe"),
    ],
)
def test_links_and_devices_refuse_the_archive(tmp_path: Path, mode: int, said: str) -> None:
    refused(archive_of(tmp_path, (special("train/happy/x.png", mode), b"/etc/passwd")), said)


def test_an_encrypted_member_refuses_the_archive(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("train/happy/x.png", b"secret"))
    data = bytearray(archive.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 8] |= 1
    archive.write_bytes(data)
    refused(archive, "encrypted")


def test_a_name_that_stands_twice_refuses_the_archive(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = archive_of(tmp_path, ("train/happy/first.png", b"second"))
    refused(archive, "twice")


def test_a_nul_in_a_name_refuses_the_archive(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("train/happy/x.png_.exe", b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"x.png_.exe", b"x.png\0.exe"))
    refused(archive, "NUL")


def test_members_that_share_their_bytes_refuse_the_archive(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("train/happy/othr1.png", b"first"))
    data = bytearray(archive.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 42, 0)
    archive.write_bytes(data)
    with pytest.raises(UserError):
        unpack(archive)


def test_other_compression_methods_refuse_the_archive(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", {"a.png": b"x" * 99}, zipfile.ZIP_BZIP2)
    refused(archive, "neither stored nor deflated")


def test_names_that_no_file_system_would_take_are_harmless(tmp_path: Path) -> None:
    images = {
        "train/happy/A.png": b"1",
        "train/happy/a.png": b"2",
        "train/happy/" + "x" * 3000 + ".png": b"3",
        "train/happy/con.png": b"4",
        "train/happy/\x1b[31mred.png": b"5",
        "train/happy/\N{GRINNING FACE}.png": b"6",
        "train/happy/back\\slash.png": b"7",
    }
    files = contents(unpack(drawn.write_zip(tmp_path / "a.zip", images)))
    assert files == {name.replace("\\", "/"): data for name, data in images.items()}


def test_a_name_in_an_old_code_page_is_read(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("train/happy/xy.png", b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"xy.png", b"\xff\x81.png"))
    names = [file.name for file in unpack(archive)]
    assert "train/happy/\u00a0\u00fc.png" in names


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    archive = drawn.write_zip(
        tmp_path / "bomb.zip", {"happy/bomb.png": bytes(3 << 20)}, zipfile.ZIP_DEFLATED
    )
    refused(archive, r"'happy/bomb.png' unpacks to more than 200 times")


def test_many_small_files_are_refused_by_their_sum(tmp_path: Path) -> None:
    archive = drawn.write_zip(
        tmp_path / "bomb.zip",
        {f"happy/{n}.png": bytes(1 << 20) for n in range(9)},
        zipfile.ZIP_DEFLATED,
    )
    refused(archive, "'happy/8.png' on")


def test_a_large_file_is_rejected_alone(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", {"a.png": os.urandom(5 << 20), "b.png": b"x"})
    files = unpack(archive)
    assert [file.rejection for file in files] == [Rejection.TOO_LARGE, None]
    assert [path.read_bytes() for path in below(tmp_path / "extracted")] == [b"x"]


def test_a_huge_member_count_is_refused(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", {f"{n}.png": b"" for n in range(1001)})
    refused(archive, "holds 1,001 members")


@pytest.mark.parametrize("declared", [10, 2_000_000])
def test_a_header_that_lies_about_the_size_is_found_out(tmp_path: Path, declared: int) -> None:
    archive = drawn.write_zip(
        tmp_path / "a.zip", {"happy/liar.png": bytes(1_500_000)}, zipfile.ZIP_DEFLATED
    )
    data = bytearray(archive.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, declared)
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"happy/liar\.png"):
        unpack(archive, ArchiveLimits(max_ratio=10**9))
    assert not below(tmp_path / "extracted")


def test_a_lying_header_cannot_make_more_bytes_than_it_declares(tmp_path: Path) -> None:
    archive = drawn.write_zip(
        tmp_path / "a.zip", {"happy/liar.png": bytes(1_500_000)}, zipfile.ZIP_DEFLATED
    )
    data = bytearray(archive.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 10)
    struct.pack_into("<I", data, directory + 16, zlib.crc32(bytes(10)))
    archive.write_bytes(data)
    assert contents(unpack(archive)) == {"happy/liar.png": bytes(10)}


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", drawn.labelled())
    data = bytearray(archive.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged at its member 'train/happy/000.png'"):
        unpack(archive)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_damage_to_an_archive_has_any_other_outcome(tmp_path: Path, data: st.DataObject) -> None:
    """Cut or overwritten anywhere, an archive is unpacked within its folder or refused."""
    whole = drawn.write_zip(tmp_path / "whole.zip", drawn.labelled(2, 1), zipfile.ZIP_DEFLATED)
    broken = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(broken) - 1))
        broken[position] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(broken) - 1)) :]
    archive = tmp_path / "broken.zip"
    archive.write_bytes(broken)
    try:
        files = extract(archive, tmp_path / "extracted", str(hash(bytes(broken))), LIMITS)
    except UserError:
        files = []
    for file in files:
        if not file.rejection:
            path = Path(os.fsdecode(file.path))
            assert path.resolve().is_relative_to(tmp_path / "extracted")
    assert {path.name for path in tmp_path.iterdir()} <= {"whole.zip", "broken.zip", "extracted"}


def test_a_second_extraction_writes_nothing(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", drawn.labelled())
    first = unpack(archive)
    written = {path: path.stat().st_mtime_ns for path in below(tmp_path / "extracted")}
    assert unpack(archive) == first
    assert {path: path.stat().st_mtime_ns for path in below(tmp_path / "extracted")} == written


def test_an_extraction_that_lost_bytes_is_repaired(tmp_path: Path) -> None:
    images = drawn.labelled()
    archive = drawn.write_zip(tmp_path / "a.zip", images)
    unpack(archive)
    (pack,) = below(tmp_path / "extracted")
    pack.write_bytes(b"")
    assert contents(unpack(archive)) == images
    pack.unlink()
    assert contents(unpack(archive)) == images


def test_another_key_gets_another_folder(tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "a.zip", {"a.png": b"x"})
    paths = {extract(archive, tmp_path / "e", key, LIMITS)[0].path for key in ("one", "two")}
    assert len(paths) == 2


def test_a_killed_extraction_goes_on_where_it_was(tmp_path: Path) -> None:
    images = {f"happy/{n:04d}.png": os.urandom(100) for n in range(3500)}
    archive = drawn.write_zip(tmp_path / "a.zip", images)
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from components.image_example_gen import extraction
        members, read = [], extraction._read

        def read_until_killed(archive, opened, member):
            if len(members) == 2600:
                os.kill(os.getpid(), signal.SIGKILL)
            members.append(member)
            return read(archive, opened, member)

        extraction._read = read_until_killed
        archive = Path(sys.argv[1])
        extraction.extract(archive, archive.parent / "extracted", "key", extraction.ArchiveLimits())
    """)
    killed = subprocess.run(
        [sys.executable, "-c", script, str(archive)], cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (partial,) = (tmp_path / "extracted").iterdir()
    assert partial.suffix == ".partial"
    first, second = (path for path in below(partial) if path.suffix == ".pack")
    before = first.stat().st_mtime_ns
    second.write_bytes(bytes(second.stat().st_size))

    files = unpack(archive, ArchiveLimits())
    assert contents(files) == images
    packs = below(tmp_path / "extracted")
    assert [pack.name for pack in packs] == [f"{n:06d}.pack" for n in range(4)]
    assert packs[0].stat().st_mtime_ns == before
    assert not partial.exists()
