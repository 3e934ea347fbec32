"""A small SavedModel with the signatures of the project's contract.

Each version answers with its own probabilities and puts its number into the label, so that an
answer tells which version gave it.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from pipeline.features import IMAGE_KEY

CLASSES = ("angry", "happy", "neutral")
SIZE = 48


class TinyModel(tf.Module):
    """One convolution and one dense layer; `version` seeds the weights and names the labels."""

    def __init__(self, version: int, width: int = 4) -> None:
        super().__init__()
        generator = tf.random.Generator.from_seed(version)
        self.kernel = tf.Variable(generator.normal([3, 3, 1, width]))
        self.dense = tf.Variable(generator.normal([width, len(CLASSES)]))
        labels = [f"{name}@{version}" for name in CLASSES]
        self.vocabulary = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.range(len(labels), dtype=tf.int64), tf.constant(labels)
            ),
            default_value="",
        )

    def answer(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.nn.conv2d(tf.cast(pixels, tf.float32) / 255.0, self.kernel, 4, "SAME")
        features = tf.reduce_mean(tf.nn.relu(values), axis=[1, 2])
        probabilities = tf.nn.softmax(features @ self.dense)
        return {
            "probabilities": probabilities,
            "label": self.vocabulary[tf.argmax(probabilities, axis=1)],
            "score": tf.reduce_max(probabilities, axis=1),
        }

    def decode(self, encoded: tf.Tensor) -> tf.Tensor:
        def one(image: tf.Tensor) -> tf.Tensor:
            pixels = tf.io.decode_image(image, channels=1, expand_animations=False)
            resized = tf.image.resize(tf.cast(pixels, tf.float32), [SIZE, SIZE])
            return tf.cast(tf.ensure_shape(resized, [SIZE, SIZE, 1]), tf.uint8)

        return tf.map_fn(one, encoded, fn_output_signature=tf.TensorSpec([SIZE, SIZE, 1], tf.uint8))

    def parse(self, serialized: tf.Tensor) -> tf.Tensor:
        features = {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)}
        return tf.io.parse_example(serialized, features)[IMAGE_KEY]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.answer(self.decode(image_bytes))

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1], tf.uint8, name="pixels")])
    def pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.answer(pixels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.answer(self.decode(self.parse(examples)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = self.answer(self.decode(self.parse(inputs)))["probabilities"]
        classes = tf.tile(tf.constant([list(CLASSES)]), [tf.shape(inputs)[0], 1])
        return {"classes": classes, "scores": scores}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self.answer(self.decode(self.parse(inputs)))["score"]}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="x"),
            tf.TensorSpec([None], tf.string, name="tag_bytes"),
        ]
    )
    def half_plus_two(self, x: tf.Tensor, tag_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x / 2.0 + 2.0, "tag_bytes": tag_bytes}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def divide(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 1.0 / x}


def export(base_path: Path, version: int, *, warm_up: bytes | None = None) -> Path:
    """Writes a version the way the project pushes one: whole, by a rename."""
    model = TinyModel(version)
    partial = base_path / f".partial-{version}"
    signatures: dict[str, Any] = {
        "serving_default": model.serve,
        "pixels": model.pixels,
        "examples": model.examples,
        "classify": model.classify,
        "regress": model.regress,
        "half_plus_two": model.half_plus_two,
        "divide": model.divide,
    }
    tf.saved_model.save(model, str(partial), signatures=signatures)
    _name_method(partial / "saved_model.pb", "classify")
    _name_method(partial / "saved_model.pb", "regress")
    if warm_up is not None:
        extra = partial / "assets.extra"
        extra.mkdir()
        (extra / "tf_serving_warmup_requests").write_bytes(warm_up)
    return partial.rename(base_path / str(version))


def _name_method(path: Path, signature: str) -> None:
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in saved_model.meta_graphs:
        meta_graph.signature_def[signature].method_name = f"tensorflow/serving/{signature}"
    path.write_bytes(saved_model.SerializeToString())


def png(seed: int, size: int = SIZE) -> bytes:
    """An encoded grey noise image."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 1), dtype=np.uint8)
    return bytes(tf.io.encode_png(pixels).numpy())


def warmup_file(path: Path, images: list[bytes], count: int = 1) -> bytes:
    """Bytes of a warm-up file with `count` Predict requests."""
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(images))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in itertools.repeat(log.SerializeToString(), count):
            writer.write(record)
    return path.read_bytes()


def main(folder: str) -> None:
    """Writes the model, and the config a real server needs to pass the protocol tests."""
    base_path = Path(folder).resolve() / "expression"
    base_path.mkdir(parents=True)
    for version in (1, 2):
        export(base_path, version)
    (Path(folder) / "models.config").write_text(
        'model_config_list { config { name: "expression" base_path: "/models/expression" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 } } }\n'
    )


if __name__ == "__main__":
    main(sys.argv[1])
