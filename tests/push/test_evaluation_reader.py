"""What TFMA wrote is read as numbers by name, and as one sentence a missed threshold."""

from pathlib import Path

import tfx.v1  # noqa: F401  (before TFMA: it supplies a module that TFMA needs)
import apache_beam as beam
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

# isort: split
import tensorflow_model_analysis as tfma
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import text_format
from tensorflow_model_analysis.proto import metrics_for_slice_pb2
from tfx_bsl.arrow import table_util

from components.evaluation_reader import missed_thresholds, read_changes, read_metrics
from pipeline.errors import UserError

CONFIG = """
model_specs { label_key: "label" prediction_key: "prediction" }
slicing_specs {}
slicing_specs { feature_keys: "name" }
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics {
    class_name: "SparseCategoricalAccuracy"
    config: '{"name": "accuracy"}'
    per_slice_thresholds {
      slicing_specs {}
      threshold {
        value_threshold { lower_bound { value: 0.6 } }
      }
    }
    per_slice_thresholds {
      slicing_specs { feature_keys: "name" }
      threshold { value_threshold { lower_bound { value: 0.3 } } }
    }
  }
}
"""


CHANGE = """
metric_validations_per_slice {
  slice_key {}
  failures {
    metric_key { name: "accuracy" model_name: "candidate" is_diff: true }
    metric_threshold {
      change_threshold { direction: HIGHER_IS_BETTER absolute { value: -0.01 } }
    }
    metric_value { double_value { value: -0.1 } }
  }
}
missing_slices { feature_values { key: "name" value: "sad" } }
"""

DIFFERENCE = """
slice_key {}
metric_keys_and_values {
  key { name: "accuracy" model_name: "candidate" }
  value { double_value { value: 0.7 } }
}
metric_keys_and_values {
  key { name: "accuracy" model_name: "baseline" }
  value { double_value { value: 0.8 } }
}
metric_keys_and_values {
  key { name: "accuracy" model_name: "candidate" is_diff: true }
  value { double_value { value: -0.1 } }
}
"""


def evaluate(folder: Path, right: dict[str, int]) -> str:
    """Runs TFMA on 50 examples a class, with how many of them the model gets right."""
    rows = [
        {
            "label": label,
            "name": name,
            "prediction": np.eye(2)[label] if number < count else 1.0 - np.eye(2)[label],
        }
        for label, (name, count) in enumerate(right.items())
        for number in range(50)
    ]
    config = text_format.Parse(CONFIG, tfma.EvalConfig())
    batch = table_util.CanonicalizeRecordBatch(pa.RecordBatch.from_pandas(pd.DataFrame(rows)))
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create([batch])
            | tfma.ExtractEvaluateAndWriteResults(eval_config=config, output_path=str(folder))
        )
    return str(folder)


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> str:
    return evaluate(tmp_path_factory.mktemp("weak"), {"angry": 45, "happy": 10})


def test_metrics_are_named_overall_and_by_slice(weak: str) -> None:
    assert read_metrics(weak) == pytest.approx(
        {
            "accuracy": 0.55,
            "accuracy[name=angry]": 0.9,
            "accuracy[name=happy]": 0.2,
            "example_count": 100.0,
            "example_count[name=angry]": 50.0,
            "example_count[name=happy]": 50.0,
        }
    )


def test_each_missed_threshold_is_one_sentence(weak: str) -> None:
    assert sorted(missed_thresholds(weak)) == [
        "accuracy is 0.55, below 0.6.",
        "accuracy[name=happy] is 0.2, below 0.3.",
    ]


def test_worse_than_the_baseline_and_an_empty_slice_are_missed_thresholds(tmp_path: Path) -> None:
    result = text_format.Parse(CHANGE, tfma.ValidationResult())
    with tf.io.TFRecordWriter(str(tmp_path / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    assert missed_thresholds(str(tmp_path)) == [
        "accuracy changed by -0.1 against the latest blessed model,"
        " where -0.01 is the least allowed (absolute).",
        "No example was evaluated in the slice name=sad.",
    ]


def test_names_of_classes_reach_no_terminal_as_commands(tmp_path: Path) -> None:
    result = tfma.ValidationResult()
    result.missing_slices.add().feature_values["name"] = "sad\x1b[2J"
    with tf.io.TFRecordWriter(str(tmp_path / "validations.tfrecord")) as writer:
        writer.write(result.SerializeToString())
    assert missed_thresholds(str(tmp_path)) == [
        r"No example was evaluated in the slice name=sad\x1b[2J."
    ]


def test_model_that_passes_missed_nothing(tmp_path: Path) -> None:
    assert missed_thresholds(evaluate(tmp_path, {"angry": 50, "happy": 40})) == []


def test_without_a_baseline_nothing_has_changed(weak: str) -> None:
    assert read_changes(weak) == {}


def test_changes_are_the_differences_from_the_baseline(tmp_path: Path) -> None:
    metrics = text_format.Parse(DIFFERENCE, metrics_for_slice_pb2.MetricsForSlice())
    with tf.io.TFRecordWriter(str(tmp_path / "metrics.tfrecord")) as writer:
        writer.write(metrics.SerializeToString())
    assert read_changes(str(tmp_path)) == {"accuracy": -0.1}
    assert read_metrics(str(tmp_path)) == {"accuracy": 0.7}


def test_folder_without_an_evaluation_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no validation result"):
        missed_thresholds(str(tmp_path))
    with pytest.raises(UserError, match="holds no evaluation"):
        read_metrics(str(tmp_path))
