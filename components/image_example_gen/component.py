"""ImageExampleGen: a zip, folder or CSV of images in, tf.Examples and an ingest report out."""

import json
from collections.abc import Mapping, Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import component_spec, standard_artifacts

from components.artifacts import IngestReport
from components.image_example_gen import executor
from components.image_example_gen.driver import DATA_KEY, SPAN_KEY, ImageExampleGenDriver

FER_CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Classes by the number that fer2013.csv gives them."""


class ImageExampleGenSpec(component_spec.ComponentSpec):
    """Parameters and outputs of `ImageExampleGen`; aliases and class names are JSON."""

    PARAMETERS = {  # noqa: RUF012
        DATA_KEY: component_spec.ExecutionParameter(type=str),
        SPAN_KEY: component_spec.ExecutionParameter(type=int),
        "extract_dir": component_spec.ExecutionParameter(type=str),
        "split_aliases": component_spec.ExecutionParameter(type=str),
        "class_aliases": component_spec.ExecutionParameter(type=str),
        "csv_class_names": component_spec.ExecutionParameter(type=str),
        "eval_fraction": component_spec.ExecutionParameter(type=float),
        "min_side": component_spec.ExecutionParameter(type=int),
        "max_side": component_spec.ExecutionParameter(type=int),
        "min_stddev": component_spec.ExecutionParameter(type=float),
        "max_files": component_spec.ExecutionParameter(type=int),
        "max_file_bytes": component_spec.ExecutionParameter(type=int),
        # More than the 32 bits that ML Metadata's integers have on a database server.
        "max_total_bytes": component_spec.ExecutionParameter(type=float),
        "unlabelled": component_spec.ExecutionParameter(type=int),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        executor.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        executor.INGEST_REPORT_KEY: component_spec.ChannelParameter(type=IngestReport),
    }


class ImageExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests labelled images; stands in for TFX's file-based ExampleGens.

    `ImportExampleGen` reads TFRecords that someone has made, `CsvExampleGen` rows. Neither opens an
    archive, looks at an image, or lets one record decide about another; and their random shuffle
    gives other files in every run. Span, version, fingerprint, split names and the format of
    the examples are as in `FileBasedExampleGen`, so that resolvers and every later component work.

    Outputs:
      examples: `standard_artifacts.Examples` with splits `train` and `eval`, or `unlabelled`.
      ingest_report: `IngestReport`, see `components.image_example_gen.report`.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = ImageExampleGenDriver

    def __init__(
        self,
        data: str | data_types.RuntimeParameter,
        *,
        extract_dir: str,
        split_aliases: Mapping[str, str],
        class_aliases: Mapping[str, str],
        code_fingerprint: str,
        csv_class_names: Sequence[str] = FER_CLASS_NAMES,
        eval_fraction: float = 0.1,
        min_side: int = 16,
        max_side: int = 4096,
        min_stddev: float = 4.0,
        max_files: int = 1_000_000,
        max_file_bytes: int = 20 << 20,
        max_total_bytes: int = 20_000 << 20,
        unlabelled: bool = False,
        span: int | data_types.RuntimeParameter = -1,
    ) -> None:
        """Makes the component.

        Args:
          data: Absolute path of the images, as `resolve_source` takes it.
          extract_dir: Folder in which archives are unpacked; Beam workers must see it.
          split_aliases: Folder name, or usage in a CSV, to `train` or `eval`.
          class_aliases: Folder name to the class it means.
          code_fingerprint: Fingerprint of the code that ingests; a change invalidates the cache.
          csv_class_names: Class of each number in a CSV's emotion column.
          eval_fraction: Share of eval where the source names no split.
          min_side: Smallest accepted height and width, in pixels.
          max_side: Largest accepted height and width, in pixels.
          min_stddev: Standard deviation of grey values (0 to 255) under which an image is rejected.
          max_files: Most files of a source.
          max_file_bytes: Largest image file.
          max_total_bytes: Most bytes that an archive's images may unpack to.
          unlabelled: Take all images without labels into one split, for inference.
          span: Which span to read; -1 is the newest.
        """
        spec = ImageExampleGenSpec(
            data=data,
            read_span=span,
            extract_dir=extract_dir,
            split_aliases=json.dumps(dict(split_aliases), sort_keys=True),
            class_aliases=json.dumps(dict(class_aliases), sort_keys=True),
            csv_class_names=json.dumps(list(csv_class_names)),
            eval_fraction=float(eval_fraction),
            min_side=min_side,
            max_side=max_side,
            min_stddev=float(min_stddev),
            max_files=max_files,
            max_file_bytes=max_file_bytes,
            max_total_bytes=float(max_total_bytes),
            unlabelled=int(unlabelled),
            code_fingerprint=code_fingerprint,
            examples=types.Channel(type=standard_artifacts.Examples),
            ingest_report=types.Channel(type=IngestReport),
        )
        super().__init__(spec=spec)
