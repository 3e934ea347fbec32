"""Resolves path, span, version and fingerprint of an image source, before the cache is asked."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfx.components.example_gen import driver, input_processor, utils
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.image_example_gen.listing import fingerprint
from components.image_example_gen.source import check_data, has_spec, resolve_source
from pipeline.errors import UserError

DATA_KEY = "data"
SPAN_KEY = "read_span"
"""Not `span`, by which TFX's driver tells which one it found."""


class ImageInputProcessor(input_processor.FileBasedInputProcessor):
    """Resolves spans as TFX does, and takes the fingerprint of what the resolved pattern names.

    TFX matches files with a glob. An image folder is a tree of unknown depth, which no glob
    covers, so the pattern names the folder itself here and the fingerprint covers all below it. A
    path without specs is taken as it stands: it may hold brackets, which a glob would read as
    wildcards.
    """

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """Finds the newest span and version.

        Raises:
          UserError: Nothing matches, or what matches is not data.
        """
        (split,) = self._splits
        span: int = 0
        version: int | None = None
        if has_spec(split.pattern):
            try:
                span, version = super().resolve_span_and_version()
            except ValueError as error:
                raise UserError(
                    f"No data match {split.pattern!r} in {self._input_base_uri} ({error})."
                ) from None
        pattern = self.get_pattern_for_span_version(split.pattern, span, version)
        path = Path(self._input_base_uri, pattern)
        if has_spec(split.pattern) and not path.exists():
            raise UserError(
                f"{split.pattern!r} does not name {path}; write the width of zero-padded numbers, "
                "as in {SPAN:2}."
            )
        check_data(path)
        self._fingerprint = f"split:{split.name},{fingerprint(path)}"
        return span, version


class ImageExampleGenDriver(driver.FileBasedDriver):
    """TFX's file-based driver over an `ImageInputProcessor`.

    Path and span are parameters that may be set for each run, so what TFX's ExampleGens are told
    when they are wired, `input_base`, `input_config` and `range_config`, is made of them here.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the source in TFX's terms, then what TFX resolves of it.

        Raises:
          UserError: The path can't be read, or has no such span.
        """
        data, span = exec_properties[DATA_KEY], exec_properties[SPAN_KEY]
        source = resolve_source(data)
        exec_properties |= {
            standard_component_specs.INPUT_BASE_KEY: source.input_base,
            standard_component_specs.INPUT_CONFIG_KEY: proto_utils.proto_to_json(
                utils.make_default_input_config(source.pattern)
            ),
        }
        if span >= 0:
            if "{SPAN" not in source.pattern:
                raise UserError(f"data.span is {span}, but the data path {data} has no {{SPAN}}.")
            one = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
            exec_properties[standard_component_specs.RANGE_CONFIG_KEY] = proto_utils.proto_to_json(
                range_config_pb2.RangeConfig(static_range=one)
            )
        return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> input_processor.InputProcessor:
        """Returns the processor that resolves the source."""
        return ImageInputProcessor(input_base_uri, splits, range_config)
