"""The same work by hand: what one would write with tf.data and Keras and nothing else.

It unpacks, decodes, normalizes, trains the pipeline's network with the pipeline's augmentation and
settings, evaluates and saves. It checks nothing, drops no duplicates, and keeps all decoded images
in memory.
"""

import argparse
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measure import Marks
from pipeline import training_setup
from pipeline.augmentation import augment
from pipeline.config import Settings, TrainSettings
from pipeline.model import build_model, build_optimizer

_DECODE_BATCH = 512


class StepTimes(keras.callbacks.Callback):
    """Notes the time of each step's end, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[list[float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this before each epoch."""
        self.epochs.append([])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this after each step."""
        self.epochs[-1].append(time.monotonic())


def main() -> None:
    """Trains on a zip of `train/<class>/<file>` and `test/<class>/<file>`."""
    marks = Marks()
    marks.end("Imports")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True, help="all settings as JSON")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    settings = Settings.model_validate_json(options.settings.read_text(encoding="utf-8"))
    training_setup.configure(settings.train)
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(options.data) as archive:
            archive.extractall(folder)
        marks.end("Unpack")
        _work(Path(folder), settings, marks, options.output)


def _work(folder: Path, settings: Settings, marks: Marks, output: Path) -> None:
    size, train = settings.image.size, settings.train
    classes = sorted({path.name for path in folder.rglob("train/*") if path.is_dir()})
    train_pixels, train_labels = _read(folder, "train", classes, size)
    test_pixels, test_labels = _read(folder, "test", classes, size)
    mean, scale = train_pixels.mean(), 1.0 / train_pixels.std()
    marks.end("Decode and moments")

    order = np.random.default_rng(train.seed).permutation(len(train_pixels))
    held_out, kept = np.split(order, [round(train.validation_fraction * len(order))])
    steps = max(len(kept) // train.batch_size, 1)
    network = build_model(train, size, len(classes))
    network.compile(
        optimizer=build_optimizer(train, steps),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=train.label_smoothing
        ),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=train.jit_compile,
    )
    times = StepTimes()
    network.fit(
        _training_batches(train_pixels[kept], train_labels[kept], mean, scale, train),
        epochs=train.epochs,
        steps_per_epoch=steps,
        validation_data=_batches(
            train_pixels[held_out], train_labels[held_out], mean, scale, train
        ),
        callbacks=[times],
        verbose=2,
    )
    marks.end("Train")

    test = _batches(test_pixels, test_labels, mean, scale, train)
    accuracy = network.evaluate(test, verbose=0, return_dict=True)["accuracy"]
    marks.end("Evaluate")
    network.export(folder / "model", verbose=False)
    marks.end("Save")
    marks.write(output, epochs=times.epochs, accuracy=accuracy)


def _read(folder: Path, split: str, classes: list[str], size: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8[n, size, size, 1] grey pixels and float32[n, classes] one-hot labels."""
    paths = sorted(path for path in folder.rglob(f"{split}/*/*") if path.is_file())
    labels = [classes.index(path.parent.name) for path in paths]

    def decode(path: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(tf.io.read_file(path), channels=1, expand_animations=False)
        return tf.ensure_shape(pixels, [size, size, 1])

    batches = (
        tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
        .map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(_DECODE_BATCH)
    )
    return (
        np.concatenate(list(batches.as_numpy_iterator())),
        np.eye(len(classes), dtype=np.float32)[labels],
    )


def _training_batches(
    pixels: np.ndarray, labels: np.ndarray, mean: float, scale: float, settings: TrainSettings
) -> tf.data.Dataset:
    seeds = tf.data.Dataset.random(seed=settings.seed, rerandomize_each_iteration=True).batch(2)
    batches = (
        tf.data.Dataset.from_tensor_slices((pixels, labels))
        .shuffle(len(pixels), seed=settings.seed)
        .repeat()
        .batch(settings.batch_size, drop_remainder=True)
    )
    return (
        tf.data.Dataset.zip(batches, seeds)
        .map(
            lambda batch, seed: (
                augment((tf.cast(batch[0], tf.float32) - mean) * scale, settings.augment, seed),
                batch[1],
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def _batches(
    pixels: np.ndarray, labels: np.ndarray, mean: float, scale: float, settings: TrainSettings
) -> tf.data.Dataset:
    return (
        tf.data.Dataset.from_tensor_slices((pixels, labels))
        .batch(settings.batch_size)
        .map(lambda batch, label: ((tf.cast(batch, tf.float32) - mean) * scale, label))
        .prefetch(tf.data.AUTOTUNE)
    )


if __name__ == "__main__":
    main()
