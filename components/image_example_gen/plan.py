"""Lists a source and decides how its files are read, before any image is opened."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.image_example_gen import pixel_csv
from components.image_example_gen.extraction import ArchiveLimits, extract
from components.image_example_gen.inspection import ImageLimits
from components.image_example_gen.layout import find_layout
from components.image_example_gen.listing import list_folder
from components.image_example_gen.records import CsvReader, FileReader, Reader
from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import SourceInfo
from components.image_example_gen.source import Kind, check_data
from pipeline.errors import UserError
from pipeline.features import EVAL_SPLIT, TRAIN_SPLIT, UNLABELLED_SPLIT

_FILES_PER_SHARD = 500
_RECORDS_PER_BUCKET = 8192


@dataclass(frozen=True)
class IngestSettings:
    """The settings of an ingestion; see `ImageExampleGen` for their meaning."""

    extract_dir: Path
    split_aliases: Mapping[str, str]
    class_aliases: Mapping[str, str]
    csv_class_names: tuple[str, ...]
    eval_fraction: float
    unlabelled: bool
    images: ImageLimits
    archive: ArchiveLimits


@dataclass(frozen=True)
class IngestPlan:
    """The work to be done.

    Attributes:
      shards: What `reader` takes one by one: lists of (name, path, offset, size), or ranges of a
        CSV.
      reader: Reads a shard.
      read: Files or rows of the source.
      rejected: Files that are in no shard, by the reason that their names give.
      buckets: Intervals of content hashes, and so files of a split.
      split_names: Splits of the examples.
      split_by: What decides the split, for the report.
      source: What is read, for the report.
    """

    shards: list[Any]
    reader: Reader
    read: int
    rejected: dict[Rejection, list[str]]
    buckets: int
    split_names: tuple[str, ...]
    split_by: str
    source: SourceInfo


def make_plan(
    path: Path,
    settings: IngestSettings,
    fingerprint: str,
    span: int = 0,
    version: int | None = None,
) -> IngestPlan:
    """Plans the ingestion of a zip, which is unpacked here, of a folder or of a CSV.

    Args:
      path: The source, with span and version resolved.
      settings: How it is ingested.
      fingerprint: What the driver found the source to be.
      span: Span of the source.
      version: Version of the source within its span.

    Raises:
      UserError: The source is missing, damaged, hostile or empty.
    """
    kind = check_data(path)
    shards: list[Any]
    reader: Reader
    rejected: dict[Rejection, list[str]] = {}
    aliases = settings.split_aliases, settings.class_aliases
    if kind == "csv":
        table = pixel_csv.scan_csv(path, _FILES_PER_SHARD, settings.unlabelled)
        layout = find_layout([], *aliases, settings.unlabelled)
        reader = CsvReader(
            path,
            table.columns,
            layout,
            settings.csv_class_names,
            settings.images,
            settings.eval_fraction,
        )
        by_usage = "usage" in table.columns and not settings.unlabelled
        split_by = "usage" if by_usage else layout.split_by
        shards, read = [tuple(lines) for lines in table.ranges], table.rows
    else:
        if kind == "zip":
            files = extract(path, settings.extract_dir, fingerprint, settings.archive)
        else:
            files = list_folder(path, settings.archive.max_files)
        if not files:
            raise UserError(f"The data {path} hold no files.")
        candidates: list[tuple[str, bytes, int, int]] = []
        for file in files:
            if file.rejection is None:
                candidates.append((file.name, file.path, file.offset, file.size))
            else:
                rejected.setdefault(file.rejection, []).append(file.name)
        layout = find_layout([name for name, *_ in candidates], *aliases, settings.unlabelled)
        reader = FileReader(layout, settings.images, settings.eval_fraction)
        split_by, read = layout.split_by, len(files)
        shards = [
            candidates[i : i + _FILES_PER_SHARD]
            for i in range(0, len(candidates), _FILES_PER_SHARD)
        ]
    return IngestPlan(
        shards=shards,
        reader=reader,
        read=read,
        rejected=rejected,
        buckets=-(-read // _RECORDS_PER_BUCKET),
        split_names=(UNLABELLED_SPLIT,) if settings.unlabelled else (TRAIN_SPLIT, EVAL_SPLIT),
        split_by=split_by,
        source=_source_info(kind, path, fingerprint, span, version),
    )


def _source_info(
    kind: Kind, path: Path, fingerprint: str, span: int, version: int | None
) -> SourceInfo:
    total = re.search(r"total_bytes:(\d+)", fingerprint)
    return SourceInfo(
        kind=kind,
        name=path.name,
        bytes=int(total[1]) if total else path.stat().st_size,
        fingerprint=fingerprint,
        span=span,
        version=version,
    )
