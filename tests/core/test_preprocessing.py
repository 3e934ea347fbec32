"""The transform graph, and that training and every signature apply the same one."""

import io
from pathlib import Path
from typing import Any

import tfx.v1  # noqa: F401
import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_serving.apis import model_pb2, prediction_log_pb2
from tfx.components.trainer.fn_args_utils import DataAccessor
from tfx.components.util import tfxio_utils
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from pipeline.config import REPOSITORY
from pipeline.features import IMAGE_KEY, LABEL_KEY
from pipeline.input_data import ExampleSource
from pipeline.preprocessing import PIXEL_MEAN_KEY, PIXEL_SCALE_KEY, decode_images, normalize
from pipeline.signatures import WARMUP_FILE, read_labels
from tests.core.conftest import COUNTS, SIZE
from tests.core.drawn import Face, encode, example

_LABELS = sorted(COUNTS)


@pytest.fixture(scope="module")
def layer(transform_output: Any) -> Any:
    return transform_output.transform_features_layer()


@pytest.fixture(scope="module")
def encoded(faces: list[Face]) -> tf.Tensor:
    return tf.constant([face.encoded for face in faces])


@pytest.fixture(scope="module")
def examples(faces: list[Face]) -> tf.Tensor:
    return tf.constant([example(face) for face in faces])


@pytest.fixture(scope="module")
def signatures(saved_model: Path) -> Any:
    return tf.saved_model.load(str(saved_model)).signatures


@pytest.fixture(scope="module")
def trainer_input(transform_output: Any, example_files: Path) -> tuple[tf.Tensor, tf.Tensor]:
    """Images and one-hot labels of the train split as the Trainer reads them."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(example_files)
    artifact.split_names = '["train"]'
    accessor = DataAccessor(
        tfxio_utils.get_tf_dataset_factory_from_artifact([artifact], ["Trainer"]), None, None
    )
    schema = io_utils.parse_pbtxt_file(
        str(REPOSITORY / "schema" / "schema.pbtxt"), schema_pb2.Schema()
    )
    source = ExampleSource(accessor, schema, transform_output)
    dataset = source.read([str(example_files / "Split-train" / "*")])
    return dataset.batch(sum(COUNTS.values())).get_single_element()


@pytest.fixture(scope="module")
def expected(trainer_input: tuple[tf.Tensor, tf.Tensor], network: Any) -> np.ndarray:
    """Probabilities of the network on what the Trainer's input pipeline feeds it."""

    @tf.function
    def predict(images: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(network(images, training=False))

    return predict(trainer_input[0]).numpy()


# What the graph makes of images and labels.


def test_train_pixels_have_mean_0_and_variance_1(layer: Any, encoded: tf.Tensor) -> None:
    images = layer({IMAGE_KEY: encoded[:, None]})[IMAGE_KEY].numpy().astype(np.float64)
    assert abs(images.mean()) < 1e-4
    assert abs(images.var() - 1.0) < 1e-3


def test_the_moments_are_exact_so_that_they_do_not_depend_on_how_beam_batches(
    layer: Any, encoded: tf.Tensor
) -> None:
    features = layer({IMAGE_KEY: encoded[:, None]})
    pixels = decode_images(encoded, SIZE).numpy().astype(np.int64)
    mean = pixels.sum() / pixels.size
    variance = np.square(pixels).sum() / pixels.size - mean**2
    assert features[PIXEL_MEAN_KEY][0] == np.float32(mean)
    assert features[PIXEL_SCALE_KEY][0] == np.float32(variance**-0.5)


def test_images_are_float32_squares(layer: Any, encoded: tf.Tensor) -> None:
    images = layer({IMAGE_KEY: encoded[:3, None]})[IMAGE_KEY]
    assert images.dtype == tf.float32
    assert images.shape == (3, SIZE, SIZE, 1)


def test_classes_are_numbered_in_alphabetical_order_whatever_their_frequencies(
    transform_output: Any, layer: Any, faces: list[Face]
) -> None:
    assert [name.decode() for name in transform_output.vocabulary_by_name("labels")] == _LABELS
    assert _indices(layer, faces, *_LABELS) == list(range(len(_LABELS)))


def test_an_unknown_class_is_minus_one(layer: Any, faces: list[Face]) -> None:
    assert _indices(layer, faces, "bored", "", "Angry") == [-1, -1, -1]


def _indices(layer: Any, faces: list[Face], *labels: str) -> list[int]:
    images = tf.constant([[face.encoded] for face in faces[: len(labels)]])
    features = layer({IMAGE_KEY: images, LABEL_KEY: tf.constant([[name] for name in labels])})
    indices: list[int] = features[LABEL_KEY].numpy().tolist()
    return indices


def test_an_image_of_the_models_size_is_taken_as_it_was_decoded() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    decoded = decode_images(tf.constant([encode(pixels)]), SIZE).numpy()
    assert np.array_equal(decoded[0, :, :, 0], pixels)


@pytest.mark.parametrize(("height", "width"), [(96, 96), (20, 31), (200, 48), (48, 47), (1, 1)])
@pytest.mark.parametrize("extension", [".png", ".jpg"])
@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
def test_images_of_other_sizes_and_colours_become_grey_squares(
    height: int, width: int, extension: str, channels: tuple[int, ...]
) -> None:
    pixels = np.full((height, width, *channels), 90, np.uint8)
    decoded = decode_images(tf.constant([encode(pixels, extension)]), SIZE)
    assert decoded.dtype == tf.uint8
    assert decoded.shape == (1, SIZE, SIZE, 1)
    assert np.abs(decoded.numpy().astype(int) - 90).max() <= 2


def test_resizing_keeps_what_the_image_shows() -> None:
    small = np.tile(np.linspace(0, 255, SIZE, dtype=np.uint8), (SIZE, 1))
    large = cv2.resize(small, (4 * SIZE, 4 * SIZE), interpolation=cv2.INTER_NEAREST)
    decoded = decode_images(tf.constant([encode(large)]), SIZE).numpy()[0, :, :, 0]
    assert np.abs(decoded.astype(int) - small).max() <= 4


def test_images_of_mixed_sizes_make_one_batch() -> None:
    images = [np.full((side, side), side, np.uint8) for side in (30, SIZE, 90)]
    decoded = decode_images(tf.constant([encode(image) for image in images]), SIZE).numpy()
    assert decoded[:, 0, 0, 0].tolist() == [30, SIZE, 90]


def test_no_images_make_an_empty_batch() -> None:
    assert decode_images(tf.zeros([0], tf.string), SIZE).shape == (0, SIZE, SIZE, 1)


# That the Trainer and every signature apply it bit for bit.


def test_the_trainers_input_is_the_transform_graphs_output(
    trainer_input: tuple[tf.Tensor, tf.Tensor], layer: Any, faces: list[Face], encoded: tf.Tensor
) -> None:
    images, labels = trainer_input
    features = layer({IMAGE_KEY: encoded[:, None]})
    assert np.array_equal(images, features[IMAGE_KEY])
    assert [_LABELS[index] for index in np.argmax(labels, axis=1)] == [f.label for f in faces]


def test_normalizing_pixels_is_what_the_transform_graph_does(
    layer: Any, encoded: tf.Tensor
) -> None:
    features = layer({IMAGE_KEY: encoded[:, None]})
    mean, scale = features[PIXEL_MEAN_KEY][0], features[PIXEL_SCALE_KEY][0]
    direct = normalize(decode_images(encoded, SIZE), mean, scale)
    assert np.array_equal(direct, features[IMAGE_KEY])


def test_encoded_images_are_served_as_they_were_trained_on(
    signatures: Any, encoded: tf.Tensor, expected: np.ndarray
) -> None:
    served = signatures["serving_default"](image_bytes=encoded)
    assert np.array_equal(served["probabilities"], expected)


def test_pixels_are_served_as_they_were_trained_on(
    signatures: Any, encoded: tf.Tensor, expected: np.ndarray
) -> None:
    served = signatures["pixels"](pixels=decode_images(encoded, SIZE))
    assert np.array_equal(served["probabilities"], expected)


def test_examples_are_served_as_they_were_trained_on(
    signatures: Any, examples: tf.Tensor, expected: np.ndarray
) -> None:
    served = signatures["examples"](examples=examples)
    assert np.array_equal(served["probabilities"], expected)


def test_classify_gives_the_same_scores_beside_every_class(
    signatures: Any, examples: tf.Tensor, expected: np.ndarray
) -> None:
    served = signatures["classify"](inputs=examples)
    assert np.array_equal(served["scores"], expected)
    assert served["classes"].numpy().tolist() == [[n.encode() for n in _LABELS]] * len(expected)


def test_the_loader_of_tensorflow_serving_gives_the_same_bits(
    saved_model: Path, faces: list[Face], examples: tf.Tensor, expected: np.ndarray
) -> None:
    images = [face.encoded for face in faces]
    pixels = decode_images(tf.constant(images), SIZE).numpy()
    fed = {
        ("serving_default", "probabilities"): ("image_bytes", images),
        ("pixels", "probabilities"): ("pixels", pixels),
        ("examples", "probabilities"): ("examples", examples.numpy()),
        ("classify", "scores"): ("inputs", examples.numpy()),
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(saved_model))
        for (name, output), (key, value) in fed.items():
            signature = graph.signature_def[name]
            feed = {signature.inputs[key].name: value}
            served = session.run(signature.outputs[output].name, feed)
            assert np.array_equal(served, expected), name


def test_the_loader_of_tensorflow_serving_takes_images_of_any_size(saved_model: Path) -> None:
    images = [
        tf.io.encode_png(np.full((side, side + 9, channels), 90, np.uint8)).numpy()
        for side, channels in ((20, 1), (48, 3), (130, 3))
    ]
    loaded = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    expected = loaded(image_bytes=tf.constant(images))["probabilities"].numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(saved_model))
        signature = graph.signature_def["serving_default"]
        feed = {signature.inputs["image_bytes"].name: images}
        served = session.run(signature.outputs["probabilities"].name, feed)
    assert np.array_equal(served, expected)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "WEBP", "GIF"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_is_served_through_either_loader(
    saved_model: Path, image_format: str, mode: str
) -> None:
    picture = Image.fromarray(np.full((70, 60), 120, np.uint8)).convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, image_format)
    loaded = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    expected = loaded(image_bytes=tf.constant([buffer.getvalue()]))["probabilities"].numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(saved_model))
        signature = graph.signature_def["serving_default"]
        feed = {signature.inputs["image_bytes"].name: [buffer.getvalue()]}
        served = session.run(signature.outputs["probabilities"].name, feed)
    assert np.array_equal(served, expected)


def test_colours_become_the_luma_that_ingestion_sees() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    encoded = tf.io.encode_png(colours)
    grey = decode_images(encoded[tf.newaxis], 48)[0, :, :, 0].numpy()
    luma = np.asarray(Image.fromarray(colours).convert("L"))
    assert np.abs(grey.astype(int) - luma).max() <= 1


# What the exported model answers, and what lies beside it.


def test_label_and_score_are_those_of_the_likeliest_class(
    signatures: Any, encoded: tf.Tensor, expected: np.ndarray
) -> None:
    served = signatures["serving_default"](image_bytes=encoded)
    best = expected.argmax(axis=1)
    assert served["label"].numpy().tolist() == [_LABELS[index].encode() for index in best]
    assert np.array_equal(served["score"], expected.max(axis=1))
    assert np.allclose(served["probabilities"].numpy().sum(axis=1), 1.0, atol=1e-6)


def test_one_image_gets_the_answer_it_gets_in_a_batch(
    signatures: Any, encoded: tf.Tensor, expected: np.ndarray
) -> None:
    alone = signatures["serving_default"](image_bytes=encoded[:1])["probabilities"]
    assert np.allclose(alone, expected[:1], atol=1e-6)


def test_label_index_numbers_labels_and_marks_unknown_ones(
    signatures: Any, faces: list[Face], examples: tf.Tensor
) -> None:
    indices = signatures["label_index"](examples=examples)["label_index"]
    assert indices.dtype == tf.int64
    assert indices.numpy().tolist() == [_LABELS.index(face.label) for face in faces]
    unknown = tf.constant([example(Face(faces[0].encoded, "bored"))])
    assert signatures["label_index"](examples=unknown)["label_index"].numpy().tolist() == [-1]


def test_inputs_and_outputs_have_the_names_and_types_of_the_contract(saved_model: Path) -> None:
    predictions = {
        "probabilities": (tf.float32, [-1, len(_LABELS)]),
        "label": (tf.string, [-1]),
        "score": (tf.float32, [-1]),
    }
    contract = {
        "serving_default": ({"image_bytes": (tf.string, [-1])}, predictions),
        "pixels": ({"pixels": (tf.uint8, [-1, SIZE, SIZE, 1])}, predictions),
        "examples": ({"examples": (tf.string, [-1])}, predictions),
        "classify": (
            {"inputs": (tf.string, [-1])},
            {
                "classes": (tf.string, [-1, len(_LABELS)]),
                "scores": (tf.float32, [-1, len(_LABELS)]),
            },
        ),
        "label_index": ({"examples": (tf.string, [-1])}, {"label_index": (tf.int64, [-1])}),
    }

    def told(tensors: Any) -> dict[str, tuple[tf.DType, list[int]]]:
        return {
            key: (tf.as_dtype(info.dtype), [dim.size for dim in info.tensor_shape.dim])
            for key, info in tensors.items()
        }

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(saved_model))
        found = {
            name: (told(signature.inputs), told(signature.outputs))
            for name, signature in graph.signature_def.items()
            if not name.startswith("__")
        }
        methods = {name: graph.signature_def[name].method_name for name in contract}
    assert found == contract
    assert methods.pop("classify") == "tensorflow/serving/classify"
    assert set(methods.values()) == {"tensorflow/serving/predict"}


def test_labels_lie_in_the_model_in_the_order_of_its_probabilities(saved_model: Path) -> None:
    assert (saved_model / "assets" / "labels.txt").read_text() == "".join(
        f"{name}\n" for name in _LABELS
    )
    assert read_labels(str(saved_model)) == _LABELS


def test_nothing_is_left_beside_the_model(saved_model: Path) -> None:
    assert [path.name for path in saved_model.parent.iterdir()] == [saved_model.name]


def _warmed(
    log: prediction_log_pb2.PredictionLog, signatures: Any
) -> tuple[model_pb2.ModelSpec, tf.Tensor]:
    """What a warm-up request asks, and the float32[1, c] that it is answered."""
    if log.HasField("classify_log"):
        asked = log.classify_log.request
        (example,) = asked.input.example_list.examples
        answer = signatures["classify"](inputs=tf.constant([example.SerializeToString()]))
        return asked.model_spec, answer["scores"]
    request = log.predict_log.request
    inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
    answer = signatures[request.model_spec.signature_name](**inputs)
    return request.model_spec, answer["probabilities"]


def test_every_way_in_has_a_warm_up_request_that_the_model_answers(
    saved_model: Path, signatures: Any
) -> None:
    warmed = []
    for record in tf.data.TFRecordDataset(str(saved_model / WARMUP_FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        asked, answer = _warmed(log, signatures)
        assert asked.name == "expression"
        assert answer.shape == (1, len(_LABELS))
        warmed.append(asked.signature_name)
    assert warmed == ["serving_default", "pixels", "examples", "classify"]
