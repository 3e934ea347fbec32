"""The exported SavedModel: every way to ask the model, its labels and its warm-up requests."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import (
    classification_pb2,
    input_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
)

from pipeline.features import IMAGE_KEY, LABEL_KEY
from pipeline.preprocessing import PIXEL_MEAN_KEY, PIXEL_SCALE_KEY, normalize

LABEL_INDEX = "label_index"
"""Signature that tells the Evaluator the index of an example's label, and its only output."""

UNKNOWN = -1
"""What that index is of a label that is no class of the model."""

DEVICE_PIXELS = "device_pixels"
"""Signature that TFLite models are made of, where it isn't `pixels`."""

LABELS_FILE = "labels.txt"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_CLASSIFY_METHOD = "tensorflow/serving/classify"


class ExpressionModule(tf.Module):
    """The network with its transform graph, as TensorFlow Serving loads it.

    A `tf.Module` that tracks the variables themselves: a Keras 3 model saved as it is loads in
    TensorFlow 2 alone, not through the C++ loader that TensorFlow Serving and BulkInferrer use.
    """

    def __init__(
        self,
        model: keras.Model,
        transform_output: tft.TFTransformOutput,
        labels: list[str],
        size: int,
        labels_path: str,
        device_model: keras.Model | None = None,
    ):
        super().__init__()
        self._model_variables = [variable.value for variable in model.variables]
        self._model = _Untracked(model)
        self._device_model = self._model if device_model is None else _Untracked(device_model)
        self._transform_layer = transform_output.transform_features_layer()
        self._labels_asset = tf.saved_model.Asset(labels_path)
        self._labels = labels
        self._size = size
        self._mean, self._scale = pixel_moments(self._transform_layer, size)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Traces every signature; see the functions below for their inputs and outputs."""
        strings = tf.TensorSpec([None], tf.string)
        pixels = tf.TensorSpec([None, self._size, self._size, 1], tf.uint8)

        def named(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
            return tf.TensorSpec(spec.shape, spec.dtype, name)

        traced = {
            "serving_default": self.predict_bytes.get_concrete_function(
                named(strings, "image_bytes")
            ),
            "pixels": self.predict_pixels.get_concrete_function(named(pixels, "pixels")),
            "examples": self.predict_examples.get_concrete_function(named(strings, "examples")),
            "classify": self.classify.get_concrete_function(named(strings, "inputs")),
            LABEL_INDEX: self.label_index.get_concrete_function(named(strings, "examples")),
        }
        if self._device_model is not self._model:
            traced[DEVICE_PIXELS] = self.predict_device_pixels.get_concrete_function(
                named(pixels, "pixels")
            )
        return traced

    @tf.function
    def predict_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Predicts from string[n], encoded images of any size; see `_predictions`."""
        return self._predictions(self._normalized_bytes(image_bytes))

    @tf.function
    def predict_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Predicts from grey uint8[n, size, size, 1]; see `_predictions`."""
        return self._predictions(normalize(pixels, self._mean, self._scale))

    @tf.function
    def predict_device_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """`predict_pixels` of the part of the model that devices get."""
        images = normalize(pixels, self._mean, self._scale)
        return {"probabilities": tf.nn.softmax(self._device_model(images))}

    @tf.function
    def predict_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Predicts from string[n], serialized tf.Examples; see `_predictions`."""
        return self._predictions(self._normalized_bytes(_parse(examples, IMAGE_KEY)))

    @tf.function
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """TensorFlow Serving's Classify: string[n, c] classes and float32[n, c] scores."""
        scores = self._probabilities(self._normalized_bytes(_parse(inputs, IMAGE_KEY)))
        classes = tf.tile(tf.constant([self._labels]), [tf.shape(scores)[0], 1])
        return {"classes": classes, "scores": scores}

    @tf.function
    def label_index(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Index of the label of serialized tf.Examples, int64[n], or `UNKNOWN`; for TFMA."""
        names = _parse(examples, LABEL_KEY)
        found = tf.equal(names[:, None], tf.constant([self._labels]))
        index = tf.where(tf.reduce_any(found, axis=1), tf.argmax(found, axis=1), UNKNOWN)
        return {LABEL_INDEX: index}

    def _normalized_bytes(self, encoded: tf.Tensor) -> tf.Tensor:
        return self._transform_layer({IMAGE_KEY: encoded[:, None]})[IMAGE_KEY]

    def _probabilities(self, images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(self._model(images))

    def _predictions(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """float32[n, c] probabilities, string[n] label and float32[n] score of the likeliest."""
        probabilities = self._probabilities(images)
        best = tf.argmax(probabilities, axis=1)
        return {
            "probabilities": probabilities,
            "label": tf.gather(tf.constant(self._labels), best),
            "score": tf.reduce_max(probabilities, axis=1),
        }


class _Untracked:
    """Hides the Keras model from SavedModel's tracking, which would save it as a Keras object."""

    def __init__(self, model: keras.Model):
        self._model = model

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return self._model(images, training=False)


def export(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    labels: list[str],
    size: int,
    folder: str,
    model_name: str,
    device_model: keras.Model | None = None,
) -> None:
    """Writes the SavedModel with all signatures, `assets/labels.txt` and warm-up requests.

    Args:
      model: float32[n, size, size, 1] normalized images to logits[n, c].
      transform_output: The transform graph that the model was trained behind.
      labels: Class names in the order of the logits.
      size: Side of the image in pixels.
      folder: Where the SavedModel is written; must not exist.
      model_name: Name that the warm-up requests carry.
      device_model: What TFLite models are made of, with no other weights than the model's; none
        is the model itself.
    """
    staged_labels = f"{folder}.labels/{LABELS_FILE}"
    tf.io.gfile.makedirs(f"{folder}.labels")
    with tf.io.gfile.GFile(staged_labels, "w") as file:
        file.write("".join(f"{label}\n" for label in labels))
    module = ExpressionModule(model, transform_output, labels, size, staged_labels, device_model)
    tf.saved_model.save(module, folder, signatures=module.signatures())
    tf.io.gfile.rmtree(f"{folder}.labels")
    # TF2 exports every signature under the predict method; Classify calls look for their own.
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(folder)
    updater.replace_method_name("classify", _CLASSIFY_METHOD)
    updater.save()
    _write_warmup(Path(folder), size, model_name)


def read_labels(folder: str) -> list[str]:
    """Class names of an exported SavedModel, in the order of its probabilities."""
    with tf.io.gfile.GFile(f"{folder}/assets/{LABELS_FILE}") as file:
        return file.read().splitlines()


def _parse(examples: tf.Tensor, key: str) -> tf.Tensor:
    return tf.io.parse_example(examples, {key: tf.io.FixedLenFeature([], tf.string)})[key]


def pixel_moments(transform_layer: tf.Module, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and scale that a transform graph normalizes with, float32 each; see `normalize`."""
    blank = tf.io.encode_png(tf.zeros([size, size, 1], tf.uint8))
    features = transform_layer({IMAGE_KEY: blank[None, None]})
    return (
        tf.constant(features[PIXEL_MEAN_KEY][0].numpy()),
        tf.constant(features[PIXEL_SCALE_KEY][0].numpy()),
    )


def _write_warmup(folder: Path, size: int, model_name: str) -> None:
    """One request for each way in, so that the first user's request is not the slow one."""
    pixels = np.full((1, size, size, 1), 128, np.uint8)
    encoded = tf.io.encode_png(pixels[0]).numpy()
    example = tf.train.Example(
        features=tf.train.Features(
            feature={
                IMAGE_KEY: tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
            }
        )
    )
    requests = {
        "serving_default": {"image_bytes": np.array([encoded], dtype=object)},
        "pixels": {"pixels": pixels},
        "examples": {"examples": np.array([example.SerializeToString()], dtype=object)},
    }
    logs = []
    for signature, inputs in requests.items():
        request = predict_pb2.PredictRequest(
            model_spec=model_pb2.ModelSpec(name=model_name, signature_name=signature),
            inputs={key: tf.make_tensor_proto(value) for key, value in inputs.items()},
        )
        logs.append(
            prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
        )
    classification = classification_pb2.ClassificationRequest(
        model_spec=model_pb2.ModelSpec(name=model_name, signature_name="classify"),
        input=input_pb2.Input(example_list=input_pb2.ExampleList(examples=[example])),
    )
    logs.append(
        prediction_log_pb2.PredictionLog(
            classify_log=prediction_log_pb2.ClassifyLog(request=classification)
        )
    )
    path = folder / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())
