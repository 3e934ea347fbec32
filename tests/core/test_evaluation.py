"""The Evaluator's metrics, as TFMA computes them by the project's configuration."""

from pathlib import Path

import tfx.v1  # noqa: F401  (before TFMA: it supplies a module that TFMA needs)
import numpy as np
import pandas as pd
import pytest

# isort: split
import tensorflow_model_analysis as tfma

from components.evaluation_reader import read_metrics
from pipeline.config import EvaluateSettings
from pipeline.evaluation import eval_config
from pipeline.signatures import LABEL_INDEX, UNKNOWN


def test_images_of_a_class_that_a_model_does_not_know_are_wrong_and_stop_nothing(
    tmp_path: Path,
) -> None:
    config = eval_config(EvaluateSettings())
    for metric in config.metrics_specs[0].metrics:
        del metric.per_slice_thresholds[:]
    del config.model_specs[:]
    config.model_specs.add(label_key=LABEL_INDEX, prediction_key="probabilities")
    examples = pd.DataFrame(
        {
            "label": ["happy", "sad", "sad", "contempt"],
            LABEL_INDEX: [0, 1, 1, UNKNOWN],
            "probabilities": [np.array(row) for row in ([0.8, 0.2], [0.6, 0.4], *[[0.1, 0.9]] * 2)],
        }
    )
    tfma.analyze_raw_data(examples, config, output_path=str(tmp_path))
    metrics = read_metrics(str(tmp_path))
    assert metrics["accuracy"] == pytest.approx(0.5)
    assert metrics["accuracy[label=contempt]"] == 0.0
    assert np.isfinite(metrics["sparse_categorical_crossentropy"])
