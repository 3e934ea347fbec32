"""Expected calibration error as a TFMA metric; TFMA's own calibration is for two classes."""

from collections.abc import Iterable
from typing import Any

import tfx.v1  # noqa: F401  (before TFMA: it supplies a module that TFMA needs)
import apache_beam as beam
import numpy as np
from tensorflow_model_analysis import metrics
from tensorflow_model_analysis.metrics import metric_types

from pipeline.calibration_bins import BINS, bin_sums, expected_calibration_error

NAME = "expected_calibration_error"


class ExpectedCalibrationError(metrics.Metric):
    """`pipeline.calibration_bins.expected_calibration_error`, over Beam."""

    def __init__(self, bins: int = BINS, name: str = NAME, code_fingerprint: str = ""):
        del code_fingerprint  # Of this module: it makes an edit a new Evaluator configuration.
        super().__init__(metrics.merge_per_key_computations(_computations), bins=bins, name=name)


def _computations(
    bins: int = BINS,
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
            truth, answers = np.ravel(label)[:1].astype(int), np.reshape(probabilities, (1, -1))
            sums += bin_sums(truth, answers, self._bins)
        return sums

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, sums: np.ndarray) -> dict[metrics.MetricKey, float]:
        return {self._key: expected_calibration_error(sums)}
