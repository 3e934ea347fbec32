"""Learning from a teacher: what it is asked, and what becomes of the labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.edge_model import INT8_FILE, LABELS_FILE
from components.tflite_converter.conversion import convert_int8, freeze_pixels
from components.tflite_evaluator.evaluation import TFLiteModel
from pipeline import distillation, input_data
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.features import IMAGE_KEY
from pipeline.signatures import read_labels
from tests.core.conftest import SIZE
from tests.core.drawn import Face

_LABELS = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.3, 0.7]])
_TAUGHT = tf.constant([[0.6, 0.3, 0.1], [0.05, 0.05, 0.9]])
_LOGITS = tf.constant([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])


def _settings(saved_model: Path, **changed: Any) -> TrainSettings:
    return TrainSettings.model_validate(
        {"teacher": str(saved_model), "distillation_weight": 1.0, "label_smoothing": 0.0} | changed
    )


@pytest.fixture(scope="module")
def labels(saved_model: Path) -> list[str]:
    return read_labels(str(saved_model))


@pytest.fixture(scope="module")
def pixels(saved_model: Path, faces: list[Face]) -> np.ndarray:
    """The grey faces, uint8[n, size, size, 1]."""
    grey = [tf.io.decode_image(face.encoded, channels=1) for face in faces]
    return np.stack([tf.image.resize(image, [SIZE, SIZE]).numpy() for image in grey]).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def images(transform_output: Any, pixels: np.ndarray) -> tf.Tensor:
    """The same as a student takes them."""
    encoded = tf.stack([tf.io.encode_png(image) for image in pixels])
    return transform_output.transform_features_layer()({IMAGE_KEY: encoded[:, None]})[IMAGE_KEY]


@pytest.fixture(scope="module")
def answers(saved_model: Path, pixels: np.ndarray) -> np.ndarray:
    """What the pushed model says of them."""
    signature = tf.saved_model.load(str(saved_model)).signatures["pixels"]
    return signature(pixels=tf.constant(pixels))["probabilities"].numpy()


@pytest.fixture(scope="module")
def int8_model(
    saved_model: Path,
    pixels: np.ndarray,
    labels: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of the int8 model that is made of it."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / LABELS_FILE).write_text("".join(f"{label}\n" for label in labels))
    (folder / INT8_FILE).write_bytes(convert_int8(freeze_pixels(str(saved_model)), pixels))
    return folder


Ask = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def ask(images: tf.Tensor, labels: list[str], transform_output: Any) -> Ask:
    """Gives the labels that a teacher blends of the faces', with light added to them."""

    def taught(teacher: Path, light: float = 0.0, **changed: Any) -> np.ndarray:
        settings = _settings(teacher, **changed)
        teach = distillation.teaching(settings, labels, SIZE, transform_output)
        assert teach is not None
        return teach(images + light, tf.one_hot([0] * len(images), len(labels))).numpy()

    return taught


def test_without_a_teacher_labels_are_left_alone(transform_output: Any) -> None:
    assert distillation.teaching(TrainSettings(), ["a"], SIZE, transform_output) is None


def test_a_teacher_says_of_normalized_images_what_it_says_when_served(
    ask: Ask, saved_model: Path, answers: np.ndarray
) -> None:
    np.testing.assert_allclose(ask(saved_model), answers, atol=1e-5)


def test_a_teacher_answers_in_bfloat16_about_the_same(
    ask: Ask, saved_model: Path, answers: np.ndarray
) -> None:
    np.testing.assert_allclose(ask(saved_model, precision="bfloat16"), answers, atol=0.03)


def test_an_int8_teacher_says_what_it_says_on_a_device(
    ask: Ask, int8_model: Path, pixels: np.ndarray
) -> None:
    on_device = TFLiteModel(int8_model / INT8_FILE).predict(pixels)
    np.testing.assert_allclose(ask(int8_model), on_device, atol=1e-5)


def test_light_beyond_white_is_not_cut_off_before_a_teacher_in_float_sees_it(
    ask: Ask, saved_model: Path
) -> None:
    assert np.abs(ask(saved_model, 9.0) - ask(saved_model, 12.0)).max() > 1e-3


def test_an_int8_teacher_sees_white_where_light_is_beyond_it(ask: Ask, int8_model: Path) -> None:
    np.testing.assert_array_equal(ask(int8_model, 9.0), ask(int8_model, 12.0))


def test_the_teacher_sees_the_augmented_and_mixed_images_of_the_student() -> None:
    seen: list[np.ndarray] = []

    def teach(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        tf.py_function(lambda array: seen.append(array.numpy()), [images], [])
        return labels * 0.0 + 5.0

    examples = tf.data.Dataset.from_tensor_slices(
        (np.random.default_rng(0).normal(size=(8, 16, 16, 1)).astype("f"), tf.eye(8))
    )
    settings = TrainSettings.model_validate({"batch_size": 8, "augment": {"mixup": 1.0}})
    batches = input_data.training_batches(examples, 8, settings, teach)
    [(images, labels)] = list(batches.take(1))
    assert any(np.array_equal(images, batch) for batch in seen)
    assert np.all(labels == 5.0)


def test_the_loss_is_that_of_hinton_with_smoothing_on_the_label_alone() -> None:
    weight, smoothing = 0.3, 0.1
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True)
    blended = distillation.blend(_LABELS, _TAUGHT, weight, smoothing)
    np.testing.assert_allclose(tf.reduce_sum(blended, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(
        loss(blended, _LOGITS),
        (1 - weight) * loss(_LABELS, _LOGITS) + weight * plain(_TAUGHT, _LOGITS),
        rtol=1e-5,
    )


def test_a_weight_of_zero_leaves_the_labels() -> None:
    np.testing.assert_array_equal(distillation.blend(_LABELS, _TAUGHT, 0.0, 0.1), _LABELS)


def test_a_temperature_divides_the_logits_behind_the_probabilities() -> None:
    np.testing.assert_allclose(
        distillation.soften(tf.nn.softmax(_LOGITS), 2.5), tf.nn.softmax(_LOGITS / 2.5), rtol=1e-5
    )
    certain = distillation.soften(tf.constant([[1.0, 0.0]]), 4.0)
    np.testing.assert_allclose(certain, [[1.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["saved_model", "int8_model"])
def test_a_teacher_of_other_classes_or_another_size_is_refused(
    kind: str, labels: list[str], transform_output: Any, request: pytest.FixtureRequest
) -> None:
    settings = _settings(request.getfixturevalue(kind))
    with pytest.raises(UserError, match=f"knows the classes {', '.join(labels)}, the data have"):
        distillation.teaching(settings, labels[:-1], SIZE, transform_output)
    with pytest.raises(UserError, match=f"images of {SIZE} pixels, image.size is 32"):
        distillation.teaching(settings, labels, 32, transform_output)
