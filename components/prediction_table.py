"""The labels that bulk inference gave, as a table for people."""

import csv
import io

import tfx.v1 as tfx
import tensorflow as tf
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples
from tfx.utils import io_utils

from components.artifacts import Predictions
from pipeline.features import FILE_NAME_KEY

PREDICTIONS_FILE = "predictions.csv"

PREDICTED_LABEL_KEY = "predicted_labels"
PREDICTED_SCORE_KEY = "predicted_scores"
"""Features that BulkInferrer adds to an example: all class names, and their probabilities."""


@component
def PredictionTable(
    examples: InputArtifact[Examples],
    predictions: OutputArtifact[Predictions],
    code_fingerprint: Parameter[str],
) -> None:
    """Writes `predictions.csv`: file name, likeliest label, its score; sorted by file name.

    Stands behind TFX's BulkInferrer, whose outputs are TFRecords alone.

    Args:
      examples: BulkInferrer's `output_examples`; empty when the model was not blessed.
      predictions: The table.
      code_fingerprint: Digest of this component's code; a new one runs it again.
    """
    rows = []
    for split in artifact_utils.decode_split_names(examples.split_names or "[]"):
        pattern = io_utils.all_files_pattern(artifact_utils.get_split_uri([examples], split))
        files = tf.io.gfile.glob(pattern)
        for record in tf.data.TFRecordDataset(files, compression_type="GZIP"):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            labels = feature[PREDICTED_LABEL_KEY].bytes_list.value
            scores = feature[PREDICTED_SCORE_KEY].float_list.value
            score, label = max(zip(scores, labels, strict=True))
            name = feature[FILE_NAME_KEY].bytes_list.value[0]
            rows.append((name.decode(), label.decode(), f"{score:.6f}"))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("file_name", "label", "score"))
    writer.writerows(sorted(rows))
    with tfx.dsl.io.fileio.open(f"{predictions.uri}/{PREDICTIONS_FILE}", "w") as file:
        file.write(text.getvalue())
