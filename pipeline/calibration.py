"""Expected calibration error as a TFMA metric; TFMA's own calibration is for two classes."""

from collections.abc import Iterable
from typing import Any

import tfx.v1  # noqa: F401  (before TFMA: it supplies a module that TFMA needs)
import apache_beam as beam
import numpy as np
from tensorflow_model_analysis import metrics
from tensorflow_model_analysis.metrics import metric_types

NAME = "expected_calibration_error"


class ExpectedCalibrationError(metrics.Metric):
    """Mean gap between confidence and accuracy, weighted by the examples of each confidence bin.

    With n_b of n examples in bin b: sum over b of n_b / n * |accuracy_b - confidence_b|, in [0, 1].
    Guo et al., 2017, "On Calibration of Modern Neural Networks", equation 3.
    """

    def __init__(self, bins: int = 15, name: str = NAME, code_fingerprint: str = ""):
        del code_fingerprint  # Of this module: it makes an edit a new Evaluator configuration.
        super().__init__(metrics.merge_per_key_computations(_computations), bins=bins, name=name)


def _computations(
    bins: int = 15,
    name: str = NAME,
    eval_config: Any = None,
    model_name: str = "",
    output_name: str = "",
    sub_key: metrics.SubKey | None = None,
    aggregation_type: metric_types.AggregationType | None = None,
    class_weights: dict[int, float] | None = None,
    example_weighted: bool = False,
) -> list[metrics.MetricComputation]:
    key = metrics.MetricKey(
        name=name, model_name=model_name, output_name=output_name, sub_key=sub_key
    )
    return [
        metrics.MetricComputation(
            keys=[key], preprocessors=None, combiner=_Combiner(key, bins, eval_config)
        )
    ]


class _Combiner(beam.CombineFn):
    """Sums, for each bin: examples, right answers and confidence; float64[3, bins]."""

    def __init__(self, key: metrics.MetricKey, bins: int, eval_config: Any):
        self._key = key
        self._bins = bins
        self._eval_config = eval_config

    def create_accumulator(self) -> np.ndarray:
        return np.zeros((3, self._bins))

    def add_input(self, sums: np.ndarray, element: Any) -> np.ndarray:
        for label, probabilities, _ in metrics.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            flatten=False,
        ):
            confidence = float(np.max(probabilities))
            index = min(int(confidence * self._bins), self._bins - 1)
            right = float(np.argmax(probabilities) == int(np.ravel(label)[0]))
            sums[:, index] += (1.0, right, confidence)
        return sums

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, sums: np.ndarray) -> dict[metrics.MetricKey, float]:
        examples, right, confidence = sums
        gap = np.abs(right - confidence).sum() / max(examples.sum(), 1.0)
        return {self._key: float(gap)}
