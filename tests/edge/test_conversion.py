"""Both TFLite models take raw pixels and give the SavedModel's answer."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tfx.types import Artifact
from tfx.utils import path_utils

from components.tflite_converter.conversion import convert_float, convert_int8, freeze_pixels
from components.tflite_evaluator.evaluation import TFLiteModel
from tests.edge.tiny_model import SIZE, draw


@pytest.fixture(scope="module")
def saved_model(model: Artifact) -> str:
    return path_utils.serving_model_path(model.uri)


@pytest.fixture(scope="module")
def converted(saved_model: str) -> dict[str, bytes]:
    frozen = freeze_pixels(saved_model)
    return {
        "float32": convert_float(frozen),
        "int8": convert_int8(frozen, draw(60, seed=2)[0]),
    }


@pytest.fixture(scope="module")
def expected(saved_model: str) -> np.ndarray:
    signature = tf.saved_model.load(saved_model)
    pixels = tf.constant(draw(30, seed=4)[0])
    return signature.signatures["pixels"](pixels=pixels)["probabilities"].numpy()


def predict(content: bytes, pixels: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return TFLiteModel(path).predict(pixels)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_float_model_gives_the_probabilities_of_any_number_of_images(
    converted: dict[str, bytes], expected: np.ndarray, tmp_path: Path, count: int
) -> None:
    pixels, _ = draw(30, seed=4)
    found = predict(converted["float32"], pixels[:count], tmp_path)
    np.testing.assert_allclose(found, expected[:count], atol=1e-5)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_int8_model_gives_about_the_probabilities_of_any_number_of_images(
    converted: dict[str, bytes], expected: np.ndarray, tmp_path: Path, count: int
) -> None:
    pixels, _ = draw(30, seed=4)
    found = predict(converted["int8"], pixels[:count], tmp_path)
    assert found.shape == (count, 3)
    assert np.abs(found - expected[:count]).max() < 0.1


def test_number_of_images_may_change_from_call_to_call(
    converted: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(converted["int8"])
    model, pixels = TFLiteModel(path), draw(30, seed=4)[0]
    together = model.predict(pixels)
    apart = np.concatenate([model.predict(pixels[:1]), model.predict(pixels[1:])])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_signature_names_pixels_and_probabilities(converted: dict[str, bytes], kind: str) -> None:
    interpreter = Interpreter(model_content=converted[kind])
    assert interpreter.get_signature_list() == {
        "pixels": {"inputs": ["pixels"], "outputs": ["probabilities"]}
    }
    details = interpreter.get_input_details()[0]
    assert details["dtype"] == np.uint8
    assert details["shape_signature"].tolist() == [-1, SIZE, SIZE, 1]


def test_int8_model_has_no_float_tensor_and_pixels_are_its_quantised_values(
    converted: dict[str, bytes],
) -> None:
    interpreter = Interpreter(model_content=converted["int8"])
    assert all(t["dtype"] is not np.float32 for t in interpreter.get_tensor_details())
    assert interpreter.get_input_details()[0]["quantization"] == (1.0, 0)
    output = interpreter.get_output_details()[0]
    assert output["dtype"] == np.uint8
    assert output["quantization"] == (1 / 256, 0)


def test_pixel_range_does_not_depend_on_the_representative_images(saved_model: str) -> None:
    dim = np.full((4, SIZE, SIZE, 1), 90, np.uint8)
    content = convert_int8(freeze_pixels(saved_model), dim)
    assert Interpreter(model_content=content).get_input_details()[0]["quantization"] == (1.0, 0)


def test_conversion_is_deterministic(saved_model: str, converted: dict[str, bytes]) -> None:
    frozen = freeze_pixels(saved_model)
    assert convert_float(frozen) == converted["float32"]
    assert convert_int8(frozen, draw(60, seed=2)[0]) == converted["int8"]


def test_model_without_the_pixels_signature_is_refused(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="no signature 'pixels'"):
        freeze_pixels(str(tmp_path / "empty"))
