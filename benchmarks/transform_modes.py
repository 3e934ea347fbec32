"""One way to get transformed images to the Trainer: Transform, then one pass over the train split.

With `graph`, as in `pipeline.pipeline`, Transform writes its graph alone and the input pipeline
applies it to the ingested examples. With `materialized`, Transform also writes transformed examples
and the input pipeline parses those.
"""

import argparse
import functools
import tempfile
from pathlib import Path
from unittest import mock

import tfx.v1 as tfx
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import io_utils

from benchmarks.measure import Marks
from benchmarks.run_outputs import accessor_of, examples_of, schema_path, train_files
from pipeline import lineage, metadata_store, runner
from pipeline.config import Settings
from pipeline.features import IMAGE_KEY, LABEL_KEY
from pipeline.input_data import ExampleSource
from pipeline.pipeline import create_pipeline
from pipeline.workspace import Workspace

MODES = ("graph", "materialized")
_READ_BATCH = 512


class TransformMarks:
    """Marks when Transform starts and ends; a `pipeline.runner.NodeListener`."""

    def __init__(self, marks: Marks):
        self._marks = marks

    def on_nodes(self, node_ids: list[str]) -> None:
        """Nothing to mark."""

    def on_start(self, node_id: str) -> None:
        """Marks what comes before Transform."""
        if node_id == "Transform":
            self._marks.end("Before")

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None:
        """Marks Transform."""
        if node_id == "Transform":
            self._marks.end("Transform")

    def on_failure(self, node_id: str, seconds: float) -> None:
        """Nothing to mark."""

    def on_stop(self, node_id: str, seconds: float) -> None:
        """Nothing to mark."""


def main() -> None:
    """Runs the pipeline up to Transform in a workspace of its own, then reads the train split."""
    marks = Marks()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--settings", type=Path, required=True, help="all settings as JSON")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    settings = Settings.model_validate_json(options.settings.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        outputs = _transform(options.mode, options.data, settings, Workspace(Path(folder)), marks)
        images = _graph(outputs) if options.mode == "graph" else _materialized(outputs)
        batches = images.batch(settings.train.batch_size).prefetch(tf.data.AUTOTUNE)
        count = sum(int(label.shape[0]) for _, label in batches)
        marks.end("One pass")
        key = ("Transform", "transformed_examples")
        written = _bytes(Path(outputs[key].uri)) if key in outputs else 0
    marks.write(options.output, images=count, transformed_bytes=written)


def _transform(
    mode: str, data: str, settings: Settings, workspace: Workspace, marks: Marks
) -> lineage.Outputs:
    materialize = mode == "materialized"
    component = tfx.components.Transform

    def build(**arguments: object) -> tfx.components.Transform:
        return component(**{**arguments, "materialize": materialize})

    with mock.patch.object(tfx.components, "Transform", build):
        pipeline = create_pipeline(settings, workspace, data)
    run = runner.run(pipeline, TransformMarks(marks), last_node="Transform")
    return lineage.run_outputs(metadata_store.sqlite(workspace), run)


def _graph(outputs: lineage.Outputs) -> tf.data.Dataset:
    examples = examples_of(outputs, "ImageExampleGen", "examples")
    schema = io_utils.parse_pbtxt_file(schema_path(outputs), schema_pb2.Schema())
    source = ExampleSource(accessor_of(examples), schema, _transform_output(outputs))
    return source.read(train_files(examples))


def _materialized(outputs: lineage.Outputs) -> tf.data.Dataset:
    transform_output = _transform_output(outputs)
    spec = transform_output.transformed_feature_spec()
    wanted = {key: spec[key] for key in (IMAGE_KEY, LABEL_KEY)}
    classes = transform_output.vocabulary_size_by_name("labels")

    def split(features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        return features[IMAGE_KEY], tf.one_hot(features[LABEL_KEY], classes)

    examples = examples_of(outputs, "Transform", "transformed_examples")
    files = tf.io.gfile.glob(train_files(examples))
    parse = functools.partial(tf.io.parse_example, features=wanted)
    return (
        tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
        .batch(_READ_BATCH)
        .map(lambda batch: split(parse(batch)), num_parallel_calls=tf.data.AUTOTUNE)
        .unbatch()
    )


def _transform_output(outputs: lineage.Outputs) -> tft.TFTransformOutput:
    return tft.TFTransformOutput(outputs["Transform", "transform_graph"].uri)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
