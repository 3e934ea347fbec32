"""A CNN of 3 classes, trained in seconds on drawn stripes, with the pipeline's signatures."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.features import IMAGE_KEY, LABEL_KEY

SIZE = 48
LABELS = ["diagonal", "horizontal", "vertical"]


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy stripes, uint8[count, SIZE, SIZE, 1], and the index of their direction."""
    generator = np.random.default_rng(seed)
    classes = np.arange(count) % len(LABELS)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    directions = np.stack([(rows + columns) / 2**0.5, rows, columns])
    phase = generator.uniform(0, 2 * np.pi, (count, 1, 1))
    stripes = 128 + 60 * np.sin(directions[classes] / 2 + phase)
    noisy = stripes + generator.normal(0, 50, stripes.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None], classes


@cache
def train() -> keras.Model:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1))])
    for filters, stride in ((8, 2), (16, 2)):
        model.add(keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization(momentum=0.8))
        model.add(keras.layers.Activation("relu"))
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dropout(0.1))
    model.add(keras.layers.Dense(len(LABELS)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    images, classes = draw(600, seed=1)
    model.fit(normalize(images), classes, batch_size=50, epochs=5, verbose=0)
    return model


def normalize(pixels: np.ndarray | tf.Tensor) -> tf.Tensor:
    return (tf.cast(pixels, tf.float32) - 128.0) * 0.015


def export(model: keras.Model, folder: Path, device_model: keras.Model | None = None) -> Path:
    """Writes a SavedModel with the signatures `pixels` and `serving_default`, and its labels.

    With a model for devices, `device_pixels` is that one's.
    """
    labels_file = folder.parent / "labels.txt"
    labels_file.parent.mkdir(parents=True, exist_ok=True)
    labels_file.write_text("".join(f"{label}\n" for label in LABELS))
    module = tf.Module()
    on_devices = model if device_model is None else device_model
    module.tracked = [variable.value for each in (model, on_devices) for variable in each.variables]
    module.asset = tf.saved_model.Asset(str(labels_file))

    def predictions(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(model(normalize(pixels), training=False))
        label = tf.gather(tf.constant(LABELS), tf.argmax(probabilities, axis=1))
        return {
            "probabilities": probabilities,
            "label": label,
            "score": tf.reduce_max(probabilities, axis=1),
        }

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.uint8, "pixels")])
    def pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return predictions(pixels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serving_default(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = tf.map_fn(tf.io.decode_png, image_bytes, fn_output_signature=tf.uint8)
        return predictions(tf.reshape(decoded, [-1, SIZE, SIZE, 1]))

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.uint8, "pixels")])
    def device_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.nn.softmax(on_devices(normalize(pixels), training=False))}

    signatures = {
        "pixels": pixels.get_concrete_function(),
        "serving_default": serving_default.get_concrete_function(),
    }
    if device_model is not None:
        signatures["device_pixels"] = device_pixels.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def write_examples(folder: Path, images: np.ndarray, labels: list[str]) -> None:
    """Writes a split of an Examples artifact, in two shards."""
    folder.mkdir(parents=True)
    for shard in range(2):
        path = folder / f"data_tfrecord-{shard:05d}-of-00002.gz"
        with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
            for image, label in list(zip(images, labels, strict=True))[shard::2]:
                values = {IMAGE_KEY: tf.io.encode_png(image).numpy(), LABEL_KEY: label.encode()}
                feature = {
                    key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                    for key, value in values.items()
                }
                example = tf.train.Example(features=tf.train.Features(feature=feature))
                writer.write(example.SerializeToString())
