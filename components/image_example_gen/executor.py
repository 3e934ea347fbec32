"""Runs the ingestion as a Beam pipeline and writes examples and report."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.components.example_gen import base_example_gen_executor, utils, write_split
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.image_example_gen.extraction import ArchiveLimits
from components.image_example_gen.inspection import ImageLimits
from components.image_example_gen.plan import IngestPlan, IngestSettings, make_plan
from components.image_example_gen.records import Reader, Record, bucket_of, resolve_bucket
from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import (
    IngestReport,
    ReportPart,
    build_report,
    check_report,
    write_report,
)
from pipeline import features

EXAMPLES_KEY = standard_component_specs.EXAMPLES_KEY
INGEST_REPORT_KEY = "ingest_report"

_REPORT = "report"


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Reads, judges and de-duplicates images, and writes them as TFRecords in hash order.

    The base class takes records one by one from a source transform, partitions them by their
    bytes and shuffles each split at random. Here a record's split depends on other records (a
    train image that eval holds too is dropped) and equal input gives equal files, so the whole
    pipeline is its own. Files travel in shards and buckets, not one by one: a Beam element costs
    more than a small image.
    """

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:
        """Not used: there is no transform of one input split to records here."""
        raise NotImplementedError("GenerateExamplesByBeam does the whole of it.")

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """Builds the pipeline up to its splits.

        Args:
          pipeline: The Beam pipeline.
          exec_properties: `plan`, the IngestPlan that `Do` makes.

        Returns:
          For each split, a PCollection of (bucket, serialized tf.train.Examples in order); and, as
          `report`, one of ReportParts in JSON.
        """
        plan: IngestPlan = exec_properties["plan"]
        read = (
            pipeline
            | "Shards" >> beam.Create(plan.shards, reshuffle=False)
            | "Spread" >> beam.Reshuffle()
            | "Read"
            >> beam.ParDo(_Read(plan.reader, plan.buckets)).with_outputs(_REPORT, main="records")
        )
        resolved = (
            read["records"]
            | "Bucket" >> beam.GroupByKey()
            | "Resolve" >> beam.ParDo(_Resolve()).with_outputs(_REPORT, *plan.split_names)
        )
        result = {split: resolved[split] for split in plan.split_names}
        result[_REPORT] = (read[_REPORT], resolved[_REPORT]) | "Report" >> beam.Flatten()
        return result

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Ingests the source that the driver resolved.

        Args:
          input_dict: Empty.
          output_dict: `examples` and `ingest_report`.
          exec_properties: See `ImageExampleGen`.

        Raises:
          UserError: The source is hostile, damaged, or leaves nothing to train or evaluate on.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES_KEY])
        report_artifact = artifact_utils.get_single_instance(output_dict[INGEST_REPORT_KEY])
        plan = _plan(exec_properties)
        examples.split_names = artifact_utils.encode_split_names(list(plan.split_names))
        parts_file = Path(report_artifact.uri) / "parts.json"
        with self._make_beam_pipeline() as pipeline:
            splits = self.GenerateExamplesByBeam(pipeline, {"plan": plan})
            for split in plan.split_names:
                folder = artifact_utils.get_split_uri([examples], split)
                _ = splits[split] | f"Write[{split}]" >> beam.ParDo(_Write(folder, plan.buckets))
            _ = (
                splits[_REPORT]
                | "GatherReport" >> beam.combiners.ToList()
                | "WriteParts" >> beam.Map(_write_parts, str(parts_file))
            )
        report = _report(plan, parts_file)
        check_report(report)
        write_report(report, Path(report_artifact.uri))
        for name in ("read", "accepted", "rejected"):
            report_artifact.set_int_custom_property(name, getattr(report, name))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(
            examples, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )


def encode_example(record: Record) -> bytes:
    """Serializes a record as a tf.train.Example with the features of `pipeline.features`."""
    texts = {
        features.IMAGE_KEY: record.encoded,
        features.FILE_NAME_KEY: record.name.encode(),
        features.SOURCE_SPLIT_KEY: record.source_split.encode("utf-8", "replace"),
        features.CONTENT_HASH_KEY: record.content_hash.encode(),
    }
    if record.label is not None:
        texts[features.LABEL_KEY] = record.label.encode()
    example = tf.train.Example()
    feature = example.features.feature
    for key, value in texts.items():
        feature[key].bytes_list.value.append(value)
    feature[features.HEIGHT_KEY].int64_list.value.append(record.height)
    feature[features.WIDTH_KEY].int64_list.value.append(record.width)
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


class _Read(beam.DoFn):
    """Shard to (bucket, records) and, aside, the shard's rejections."""

    def __init__(self, reader: Reader, buckets: int) -> None:
        self._reader = reader
        self._buckets = buckets

    def process(self, shard: Any) -> Iterator[Any]:
        records: dict[int, list[tuple[Any, ...]]] = {}
        rejected: dict[Rejection, list[str]] = {}
        for name, result in self._reader(shard):
            if isinstance(result, Rejection):
                rejected.setdefault(result, []).append(name)
            else:
                bucket = bucket_of(result.content_hash, self._buckets)
                records.setdefault(bucket, []).append(tuple(result))
        yield from records.items()
        yield beam.pvalue.TaggedOutput(_REPORT, ReportPart(rejected=rejected).model_dump_json())


class _Resolve(beam.DoFn):
    """(bucket, lists of records) to (bucket, serialized examples) by split, and a report."""

    def process(self, element: tuple[int, Iterable[list[tuple[Any, ...]]]]) -> Iterator[Any]:
        bucket, lists = element
        records = (Record(*fields) for records in lists for fields in records)
        examples, part = resolve_bucket(records, encode_example)
        for split, serialized in examples.items():
            yield beam.pvalue.TaggedOutput(split, (bucket, serialized))
        yield beam.pvalue.TaggedOutput(_REPORT, part.model_dump_json())


class _Write(beam.DoFn):
    """Writes a bucket as one gzipped TFRecord file, whole or not at all."""

    def __init__(self, folder: str, buckets: int) -> None:
        self._folder = folder
        self._buckets = buckets

    def process(self, element: tuple[int, list[bytes]]) -> None:
        bucket, serialized = element
        name = f"{write_split.DEFAULT_TF_RECORD_FILE_NAME}-{bucket:05d}-of-{self._buckets:05d}.gz"
        tf.io.gfile.makedirs(self._folder)
        path = f"{self._folder}/{name}"
        # Images are compressed already; a harder setting costs time and gains next to nothing.
        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
        with tf.io.TFRecordWriter(path + ".tmp", options) as writer:
            for example in serialized:
                writer.write(example)
        tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def _write_parts(parts: list[str], path: str) -> None:
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(parts))


def _plan(exec_properties: dict[str, Any]) -> IngestPlan:
    input_config = example_gen_pb2.Input()
    proto_utils.json_to_proto(
        exec_properties[standard_component_specs.INPUT_CONFIG_KEY], input_config
    )
    return make_plan(
        Path(
            exec_properties[standard_component_specs.INPUT_BASE_KEY],
            input_config.splits[0].pattern,
        ),
        IngestSettings(
            extract_dir=Path(exec_properties["extract_dir"]),
            split_aliases=json.loads(exec_properties["split_aliases"]),
            class_aliases=json.loads(exec_properties["class_aliases"]),
            csv_class_names=tuple(json.loads(exec_properties["csv_class_names"])),
            eval_fraction=exec_properties["eval_fraction"],
            unlabelled=bool(exec_properties["unlabelled"]),
            images=ImageLimits(
                min_side=exec_properties["min_side"],
                max_side=exec_properties["max_side"],
                max_file_bytes=exec_properties["max_file_bytes"],
                min_stddev=exec_properties["min_stddev"],
            ),
            archive=ArchiveLimits(
                max_files=exec_properties["max_files"],
                max_file_bytes=exec_properties["max_file_bytes"],
                max_total_bytes=int(exec_properties["max_total_bytes"]),
            ),
        ),
        fingerprint=exec_properties[utils.FINGERPRINT_PROPERTY_NAME],
        span=exec_properties.get(utils.SPAN_PROPERTY_NAME) or 0,
        version=exec_properties.get(utils.VERSION_PROPERTY_NAME),
    )


def _report(plan: IngestPlan, parts_file: Path) -> IngestReport:
    parts = json.loads(parts_file.read_text(encoding="utf-8"))
    parts_file.unlink()
    return build_report(
        plan.read,
        plan.source,
        plan.split_by,
        plan.split_names,
        [ReportPart(rejected=plan.rejected), *map(ReportPart.model_validate_json, parts)],
    )
