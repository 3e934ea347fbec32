"""From shards of files to buckets of examples."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.image_example_gen.inspection import ImageLimits
from components.image_example_gen.layout import find_layout
from components.image_example_gen.records import FileReader, Record, bucket_of, resolve_bucket
from components.image_example_gen.rejections import Rejection
from tests.ingest import drawn

SPLITS = {"train": "train", "test": "eval"}

RECORDS = st.lists(
    st.builds(
        Record,
        content_hash=st.sampled_from(["0" * 32, "7" * 32, "f" * 32]),
        name=st.text("abc", min_size=1),
        split=st.sampled_from(["train", "eval"]),
        label=st.sampled_from(["happy", "sad"]),
        source_split=st.just(""),
        encoded=st.just(b""),
        height=st.just(1),
        width=st.just(1),
    ),
    max_size=12,
    unique_by=lambda record: record.name,
)


def name_of(record: Record) -> bytes:
    return record.name.encode()


@settings(deadline=None)
@given(RECORDS, st.randoms(use_true_random=False))
def test_a_bucket_is_the_same_whatever_order_it_comes_in(
    records: list[Record], order: random.Random
) -> None:
    shuffled = list(records)
    order.shuffle(shuffled)
    examples, part = resolve_bucket(records, name_of)
    again, part_again = resolve_bucket(shuffled, name_of)
    assert examples == again
    assert part.copies == part_again.copies


@settings(deadline=None)
@given(RECORDS)
def test_every_record_is_written_or_named(records: list[Record]) -> None:
    examples, part = resolve_bucket(records, name_of)
    written = [name.decode() for split in examples.values() for name in split]
    named = [name for names in part.rejected.values() for name in names]
    assert sorted(written + named) == sorted(record.name for record in records)
    assert sum(count for *_, count in part.accepted) == len(written)


@given(st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_copies_meet_in_a_bucket_that_exists(value: int, buckets: int) -> None:
    assert 0 <= bucket_of(f"{value:08x}", buckets) < buckets


def test_buckets_in_order_are_hashes_in_order() -> None:
    hashes = sorted(f"{value:032x}" for value in range(0, 2**128, 2**121))
    buckets = [bucket_of(value, 7) for value in hashes]
    assert buckets == sorted(buckets)
    assert set(buckets) == set(range(7))


def test_a_file_that_cannot_be_opened_is_rejected(tmp_path: Path) -> None:
    reader = FileReader(find_layout(["cat/1.png"], SPLITS, {}), ImageLimits(), 0.5)
    gone = os.fsencode(tmp_path / "gone.png")
    assert [outcome.result for outcome in reader([("cat/1.png", gone, 0, -1)])] == [
        Rejection.UNREADABLE
    ]


@pytest.mark.parametrize("eval_fraction", [0.0, 1.0])
def test_without_split_folders_the_content_decides(tmp_path: Path, eval_fraction: float) -> None:
    drawn.write_folder(tmp_path, {"cat/1.png": drawn.encoded(1), "dog/2.png": b"no image"})
    names = ["cat/1.png", "dog/2.png"]
    reader = FileReader(find_layout(names, SPLITS, {}), ImageLimits(), eval_fraction)
    (_, cat), (_, dog) = reader([(name, os.fsencode(tmp_path / name), 0, -1) for name in names])
    assert isinstance(cat, Record)
    assert (cat.split, cat.label) == ("eval" if eval_fraction else "train", "cat")
    assert dog is Rejection.NOT_AN_IMAGE
