"""Runs a SavedModel and its TFLite models side by side on the same examples."""

import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.types.experimental import ConcreteFunction

from components.edge_model import FLOAT_FILE, INT8_FILE
from components.tflite_converter.conversion import device_signature
from components.tflite_evaluator.report import EdgeReport, TFLiteResult

_TIMED_IMAGES = 100


class TFLiteModel:
    """A TFLite model that takes any number of images at a time, on one core or more."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.bytes = path.stat().st_size
        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        details = self._interpreter.get_input_details()[0]
        self.image_size = int(details["shape"][1])
        self._input = details["index"]
        self._output = self._interpreter.get_output_details()[0]
        self._shape: tuple[int, ...] = ()

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Returns float32[n, c] probabilities, dequantised, of uint8[n, h, w, 1] pixels."""
        if pixels.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, pixels.shape)
            self._interpreter.allocate_tensors()
            self._shape = pixels.shape
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output["index"])
        scale, zero_point = self._output["quantization"]
        if not scale:  # Not a quantised tensor.
            return output
        return ((output.astype(np.int32) - zero_point) * scale).astype(np.float32)

    def milliseconds_per_image(self, pixels: np.ndarray) -> float:
        """Returns the median time of single images out of uint8[n, h, w, 1]."""
        self.predict(pixels[:1])
        times = []
        for index in range(min(len(pixels), _TIMED_IMAGES)):
            start = time.perf_counter()
            self.predict(pixels[index : index + 1])
            times.append(time.perf_counter() - start)
        return 1000.0 * statistics.median(times)


class _Tally:
    """Counts how often a model is right and how far it is from the SavedModel."""

    def __init__(self) -> None:
        self.correct = 0
        self.agreeing = 0
        self.max_difference = 0.0

    def add(
        self,
        probabilities: np.ndarray,
        reference: np.ndarray,
        converted: np.ndarray,
        truth: np.ndarray,
    ) -> None:
        """Counts a batch, beside the SavedModel's answers and those of what was converted."""
        likeliest = probabilities.argmax(axis=1)
        self.correct += int((likeliest == truth).sum())
        self.agreeing += int((likeliest == reference.argmax(axis=1)).sum())
        # What is no number is as far from a probability as can be.
        differences = np.nan_to_num(np.abs(probabilities - converted), nan=1.0, posinf=1.0)
        self.max_difference = max(self.max_difference, float(differences.max()))


def compare(
    saved_model: str,
    edge_model: Path,
    read_batches: Callable[[int], Iterable[tuple[np.ndarray, list[str]]]],
    labels: list[str],
) -> EdgeReport:
    """Evaluates a SavedModel and its TFLite models on the same pixels.

    The SavedModel runs on the CPU, where float32 is float32: GPUs multiply matrices in TF32 by
    default, and the comparison would measure that.

    Args:
        saved_model: folder of a SavedModel with the signature `pixels`.
        edge_model: folder of its TFLite models.
        read_batches: given the images' side in pixels, yields uint8[n, side, side, 1] images
            and their n class names.
        labels: class names in the order of the probabilities.

    Returns:
        The report, with no thresholds applied yet.
    """
    index = {label: position for position, label in enumerate(labels)}
    models = {name: TFLiteModel(edge_model / name) for name in (FLOAT_FILE, INT8_FILE)}
    tallies = {name: _Tally() for name in models}
    reference_tally = _Tally()
    examples = unknown = 0
    timed: np.ndarray | None = None
    with tf.device("/CPU:0"):
        loaded = tf.saved_model.load(saved_model)
        signature = loaded.signatures["pixels"]
        for_devices = device_signature(loaded.signatures)
        for pixels, names in read_batches(models[FLOAT_FILE].image_size):
            known = np.array([name in index for name in names], dtype=bool)
            unknown += int((~known).sum())
            if not known.any():
                continue
            pixels_known = pixels[known]
            truth = np.array([index[name] for name in names if name in index])
            reference = _probabilities(signature, pixels_known)
            converted = (
                reference if for_devices is signature else _probabilities(for_devices, pixels_known)
            )
            reference_tally.add(reference, reference, reference, truth)
            for name, model in models.items():
                tallies[name].add(model.predict(pixels_known), reference, converted, truth)
            examples += len(truth)
            timed = pixels_known if timed is None else timed
    if timed is None:
        return EdgeReport(unknown_labels=unknown)
    results = {
        name: TFLiteResult(
            accuracy=tally.correct / examples,
            agreement=tally.agreeing / examples,
            max_probability_difference=tally.max_difference,
            bytes=models[name].bytes,
            milliseconds_per_image=models[name].milliseconds_per_image(timed),
        )
        for name, tally in tallies.items()
    }
    return EdgeReport(
        examples=examples,
        unknown_labels=unknown,
        saved_model_accuracy=reference_tally.correct / examples,
        float32=results[FLOAT_FILE],
        int8=results[INT8_FILE],
    )


def _probabilities(signature: ConcreteFunction, pixels: np.ndarray) -> np.ndarray:
    return signature(pixels=tf.constant(pixels))["probabilities"].numpy()
