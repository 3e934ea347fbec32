"""Measures what shapes of the network cost on a device, before any is trained.

    python -m benchmarks.edge_shapes [--reference FILE.tflite] [--train] SHAPE...

A SHAPE is settings of train that are other than in the edge profile, such as `squeeze_excite=0` or
`filters=[16,32] residual_blocks=1`. Each is built untrained, converted to int8 as the pipeline
converts it, and asked about one image at a time by LiteRT on one thread held to one core; all
shapes and the reference are timed in turns, so that what else the machine does falls on all alike.
With `--train`, also the seconds of CPU that training steps take, which other programs disturb less
than they disturb the clock.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.tables import markdown_table
from clients.webcam import interpreter
from components.tflite_converter.conversion import PIXELS, convert_int8
from pipeline import config, training_setup
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.model import build_model
from pipeline.preprocessing import normalize

_SIDE, _CLASSES = 48, 7
_ROUNDS, _CALLS = 40, 25
_STEPS = 6


@dataclass
class Row:
    """What was measured of a shape; times in seconds."""

    name: str
    interpreter: Interpreter
    bytes: int
    parameters: int = 0
    multiplications: int = 0
    times: list[float] = field(default_factory=list)
    training: float | None = None

    @property
    def median(self) -> float:
        """Of an image."""
        return statistics.median(self.times)


def main() -> int:
    """Prints a Markdown table, cheapest first."""
    options = _parser().parse_args()
    try:
        shapes = {text: settings_of(text) for text in options.shapes}
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    rows: list[Row] = []
    if options.reference is not None:
        loaded = interpreter.load(options.reference)
        rows.append(Row(options.reference.name, loaded, options.reference.stat().st_size))
    for name, settings in shapes.items():
        print(name, file=sys.stderr, flush=True)
        rows.append(_built(name, settings, train=options.train))
    _time(rows)
    print(_table(rows, options.reference is not None))
    return 0


def settings_of(text: str) -> TrainSettings:
    """The edge profile's settings of train with those of a shape.

    Raises:
      UserError: It is no TOML, or a setting does not fit.
    """
    try:
        values = tomllib.loads("\n".join(text.split()))
        return config.load("edge").train.with_values(values)
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{text!r} is no shape: {error}.") from None


def multiplications(network: keras.Model) -> int:
    """Of convolutions and dense layers, an image."""
    total = 0
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            _, *places, _ = layer.output.shape
            total += int(np.prod(kernel.shape)) * int(np.prod(places))
    return total


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reference", type=Path, help="a TFLite model to compare with")
    parser.add_argument("--train", action="store_true", help="also time training steps")
    parser.add_argument("shapes", nargs="+", metavar="SHAPE", help="settings of train")
    return parser


def _built(name: str, settings: TrainSettings, train: bool) -> Row:
    keras.utils.set_random_seed(1)
    network = build_model(settings, _SIDE, _CLASSES)
    content = convert_int8(_frozen(network), _noise(20))
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(content)
        file.flush()
        loaded = interpreter.load(Path(file.name))
    row = Row(name, loaded, len(content), network.count_params(), multiplications(network))
    if train:
        row.training = _training_seconds(settings)
    return row


def _frozen(network: keras.Model) -> tf.types.experimental.ConcreteFunction:
    @tf.function(input_signature=[tf.TensorSpec([None, _SIDE, _SIDE, 1], tf.uint8, PIXELS)])
    def probabilities(pixels: tf.Tensor) -> tf.Tensor:
        normalized = normalize(pixels, tf.constant(128.0), tf.constant(1 / 64))
        return tf.nn.softmax(network(normalized, training=False))

    return convert_variables_to_constants_v2(probabilities.get_concrete_function())


def _noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, _SIDE, _SIDE, 1)).astype(np.uint8)


def _training_seconds(settings: TrainSettings) -> float:
    """Seconds of CPU for 1,000 images, without compiling."""
    training_setup.configure(settings)
    network = training_setup.compiled_network(settings, _SIDE, _CLASSES, steps=1000)
    images = tf.random.normal([settings.batch_size, _SIDE, _SIDE, 1])
    labels = tf.one_hot(tf.range(settings.batch_size) % _CLASSES, _CLASSES)
    for _ in range(2):
        network.train_on_batch(images, labels)
    start = time.process_time()
    for _ in range(_STEPS):
        network.train_on_batch(images, labels)
    keras.mixed_precision.set_global_policy("float32")
    return (time.process_time() - start) / (_STEPS * settings.batch_size) * 1000


def _time(rows: Sequence[Row]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    inputs = []
    for row in rows:
        detail = row.interpreter.get_input_details()[0]
        inputs.append((detail["index"], np.zeros(detail["shape"], detail["dtype"])))
    for round_ in range(_ROUNDS + 1):
        for row, (index, image) in zip(rows, inputs, strict=True):
            for _ in range(_CALLS):
                row.interpreter.set_tensor(index, image)
                start = time.perf_counter()
                row.interpreter.invoke()
                if round_:  # The first warms up.
                    row.times.append(time.perf_counter() - start)


def _table(rows: Sequence[Row], referenced: bool) -> str:
    header = ["Shape", "parameters", "M multiplications", "int8 KiB", "ms an image"]
    if referenced:
        header.append("of the reference")
    if any(row.training is not None for row in rows):
        header.append("training, CPU s a 1,000")
    lines = []
    for row in sorted(rows, key=lambda row: row.median):
        line = [
            row.name,
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiplications / 1e6:.1f}" if row.multiplications else "",
            f"{row.bytes / 1024:.0f}",
            f"{1000 * row.median:.3f}",
        ]
        if referenced:
            line.append(f"{row.median / rows[0].median:.2f}")
        if len(header) > len(line):
            line.append("" if row.training is None else f"{row.training:.2f}")
        lines.append(line)
    return markdown_table(header, lines)


if __name__ == "__main__":
    sys.exit(main())
