"""Turns a shard of source files into records, and a bucket of records into examples.

Both steps are plain functions of what they are given, so that any Beam runner may run them
anywhere, and again. A shard is a list of files or a range of CSV lines; a bucket holds all
records whose content hashes lie in one interval, so that copies of an image always meet in one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple

from components.image_example_gen import deduplication, pixel_csv
from components.image_example_gen.inspection import (
    AcceptedImage,
    ImageLimits,
    accept_pixels,
    inspect,
)
from components.image_example_gen.layout import Layout, Placement, split_of_hash
from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import CopyFile, CopyGroup, ReportPart
from pipeline.features import UNLABELLED_SPLIT


class Record(NamedTuple):
    """An accepted image with its place; a plain tuple, which Beam's coders are quick with."""

    content_hash: str
    name: str
    split: str
    label: str | None
    source_split: str
    encoded: bytes
    height: int
    width: int


class Outcome(NamedTuple):
    """An accepted record, or the reason against a name."""

    name: str
    result: Record | Rejection


@dataclass(frozen=True)
class FileReader:
    """Reads shards of image files.

    Attributes:
      layout: Puts paths into splits and classes.
      limits: What is accepted.
      eval_fraction: Share of eval where the content hash decides.
    """

    layout: Layout
    limits: ImageLimits
    eval_fraction: float

    def __call__(self, shard: Iterable[tuple[str, bytes, int, int]]) -> Iterator[Outcome]:
        """Yields one outcome for each name, path, offset and size of a `SourceFile`."""
        for path, files in groupby(shard, key=lambda file: file[1]):
            try:
                opened = open(path, "rb")  # noqa: PTH123, SIM115 - pathlib takes no bytes.
            except OSError:
                yield from (Outcome(name, Rejection.UNREADABLE) for name, *_ in files)
                continue
            with opened:
                for name, _, offset, size in files:
                    yield Outcome(name, self._read(name, opened, offset, size))

    def _read(self, name: str, opened: BinaryIO, offset: int, size: int) -> Record | Rejection:
        placement = self.layout.place(name)
        if isinstance(placement, Rejection):
            return placement
        opened.seek(offset)
        data = opened.read(self.limits.max_file_bytes + 1 if size < 0 else size)
        return _record(name, placement, inspect(data, self.limits), self.eval_fraction)


@dataclass(frozen=True)
class CsvReader:
    """Reads ranges of a pixel CSV.

    Attributes:
      path: The CSV.
      columns: Case-folded column name to position.
      layout: Holds the aliases, and whether there are labels.
      class_names: Class of each number in the emotion column.
      limits: What is accepted.
      eval_fraction: Share of eval where the content hash decides.
    """

    path: Path
    columns: Mapping[str, int]
    layout: Layout
    class_names: tuple[str, ...]
    limits: ImageLimits
    eval_fraction: float

    def __call__(self, shard: tuple[int, int, int]) -> Iterator[Outcome]:
        """Yields one outcome for each row of a `CsvRange`, under the name `<file>#<row>`."""
        for row, fields in pixel_csv.read_range(self.path, pixel_csv.CsvRange(*shard)):
            name = f"{self.path.name}#{row}"
            yield Outcome(name, self._read(name, fields))

    def _read(self, name: str, fields: list[str]) -> Record | Rejection:
        placement: Placement | Rejection = Placement(UNLABELLED_SPLIT, None)
        if self.layout.class_depth is not None:
            placement = pixel_csv.place_row(
                fields,
                self.columns,
                self.class_names,
                self.layout.split_aliases,
                self.layout.class_aliases,
            )
        if isinstance(placement, Rejection):
            return placement
        column = self.columns["pixels"]
        pixels = pixel_csv.parse_pixels(fields[column] if column < len(fields) else "")
        if isinstance(pixels, Rejection):
            return pixels
        return _record(name, placement, accept_pixels(pixels, self.limits), self.eval_fraction)


Reader = FileReader | CsvReader


def bucket_of(content_hash: str, buckets: int) -> int:
    """The interval of hashes that one falls in; buckets in order are hashes in order."""
    return int(content_hash[:8], 16) * buckets >> 32


def resolve_bucket(
    records: Iterable[Record], encode: Callable[[Record], bytes]
) -> tuple[dict[str, list[bytes]], ReportPart]:
    """Drops copies and serializes what stays.

    Args:
      records: Records of a bucket, in any order.
      encode: Serializes a record.

    Returns:
      Serialized records by split, in the order of content hash and name, which is the same in
      every run and mixes classes; and what the report has to say of the bucket.
    """
    examples: dict[str, list[bytes]] = {}
    accepted: Counter[tuple[str, str | None]] = Counter()
    part = ReportPart()
    ordered = sorted(records, key=lambda record: record[:2])
    for content_hash, group in groupby(ordered, key=lambda record: record.content_hash):
        copies = list(group)
        verdict = deduplication.resolve_copies(
            [deduplication.Copy(copy.name, copy.split, copy.label) for copy in copies]
        )
        if len(copies) > 1:
            _list_copies(part, content_hash, copies, verdict)
        for copy, rejection in zip(copies, verdict.rejections, strict=True):
            if rejection is not None:
                part.rejected.setdefault(rejection, []).append(copy.name)
                continue
            accepted[copy.split, copy.label] += 1
            examples.setdefault(copy.split, []).append(encode(copy))
    part.accepted = [(split, label, count) for (split, label), count in accepted.items()]
    return examples, part


def _record(
    name: str, placement: Placement, image: AcceptedImage | Rejection, eval_fraction: float
) -> Record | Rejection:
    if isinstance(image, Rejection):
        return image
    split = placement.split or split_of_hash(image.content_hash, eval_fraction)
    return Record(
        image.content_hash,
        name,
        split,
        placement.label,
        placement.source_split,
        image.encoded,
        image.height,
        image.width,
    )


def _list_copies(
    part: ReportPart, content_hash: str, copies: list[Record], verdict: deduplication.Verdict
) -> None:
    group = CopyGroup(
        content_hash=content_hash,
        files=[CopyFile(name=c.name, split=c.split, label=c.label) for c in copies],
    )
    for found, groups in (
        (verdict.train_copies, part.copies.train_copies),
        (verdict.train_conflict, part.copies.train_conflicts),
        (verdict.train_in_eval, part.copies.train_in_eval),
        (verdict.eval_copies, part.copies.eval_copies),
        (verdict.eval_conflict, part.copies.eval_conflicts),
    ):
        if found:
            groups.append(group)
