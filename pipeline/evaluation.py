"""The gate that a model passes before it is pushed, as TFMA's configuration."""

import tfx.v1  # noqa: F401  (before TFMA)
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from pipeline.calibration_bins import BINS
from pipeline.config import EvaluateSettings
from pipeline.features import LABEL_KEY
from pipeline.fingerprint import code_fingerprint
from pipeline.signatures import LABEL_INDEX, UNKNOWN


def eval_config(settings: EvaluateSettings) -> tfma.EvalConfig:
    """Builds the Evaluator's configuration.

    Metrics overall and for each class: accuracy (of one class, its recall), cross entropy,
    confusion matrix and expected calibration error. Thresholds: overall accuracy, its change
    against the latest blessed model, and the recall of every class.

    Args:
      settings: The thresholds.
    """
    overall = tfma.SlicingSpec()
    by_class = tfma.SlicingSpec(feature_keys=[LABEL_KEY])
    accuracy = tfma.MetricConfig(
        class_name="SparseCategoricalAccuracy",
        config='{"name": "accuracy"}',
        per_slice_thresholds=[
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[overall],
                threshold=tfma.MetricThreshold(
                    value_threshold=tfma.GenericValueThreshold(
                        lower_bound={"value": settings.accuracy}
                    ),
                    change_threshold=tfma.GenericChangeThreshold(
                        direction=tfma.MetricDirection.HIGHER_IS_BETTER,
                        absolute={"value": settings.accuracy_change},
                    ),
                ),
            ),
            config_pb2.PerSliceMetricThreshold(
                slicing_specs=[by_class],
                threshold=tfma.MetricThreshold(
                    value_threshold=tfma.GenericValueThreshold(
                        lower_bound={"value": settings.class_recall}
                    )
                ),
            ),
        ],
    )
    metrics = [
        tfma.MetricConfig(class_name="ExampleCount"),
        accuracy,
        tfma.MetricConfig(
            class_name="SparseCategoricalCrossentropy",
            # The index of a class that the latest blessed model doesn't know.
            config=f'{{"ignore_class": {UNKNOWN}}}',
        ),
        tfma.MetricConfig(
            class_name="MultiClassConfusionMatrixAtThresholds",
            # At 0 every prediction counts for its likeliest class.
            config='{"name": "confusion_matrix", "thresholds": [0.0]}',
        ),
        tfma.MetricConfig(
            class_name="ExpectedCalibrationError",
            module="pipeline.calibration",
            config=(
                f'{{"bins": {BINS}, '
                f'"code_fingerprint": "{code_fingerprint("pipeline.calibration")}"}}'
            ),
        ),
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="examples",
                preprocessing_function_names=[LABEL_INDEX],
                label_key=LABEL_INDEX,
                prediction_key="probabilities",
            )
        ],
        slicing_specs=[overall, by_class],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )
