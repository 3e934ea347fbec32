"""Pushes a small model as the pipeline would: a SavedModel, and its TFLite models."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from components.tflite_converter import conversion
from pipeline.manifest import Manifest
from pipeline.publishing import publish
from tests.serving import tiny_model


def push(workspace: Path) -> Path:
    """Returns the workspace, with version 1 under `serving/` and `edge/`."""
    serving = workspace / "serving" / "expression"
    serving.mkdir(parents=True)
    saved_model = tiny_model.export(serving, 1)
    frozen = conversion.freeze_pixels(str(saved_model))
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 48, 1), dtype=np.uint8)
    converted = workspace / "converted"
    converted.mkdir()
    (converted / "model_float32.tflite").write_bytes(conversion.convert_float(frozen))
    (converted / "model_int8.tflite").write_bytes(conversion.convert_int8(frozen, noise))
    labels = list(tiny_model.CLASSES)
    manifest = Manifest(
        model_name="expression", kind="edge", labels=labels, input_shape=[48, 48, 1]
    )
    publish(converted, workspace / "edge" / "expression", manifest, keep=1)
    return workspace


def ask(model: Path, precision: str, crop: np.ndarray) -> dict[str, float]:
    """Asks a pushed model through LiteRT.

    Args:
        model: folder of the version.
        precision: float32 or int8.
        crop: uint8[48, 48], grey.

    Returns:
        Probability of each class.
    """
    interpreter = Interpreter(str(model / f"model_{precision}.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crop[None, :, :, None])
    interpreter.invoke()
    output = interpreter.get_output_details()[0]
    values = interpreter.get_tensor(output["index"])[0].astype(np.float32)
    scale, zero_point = output["quantization"]
    if scale:
        values = (values - zero_point) * np.float32(scale)
    return dict(zip(Manifest.read(model).labels, map(float, values), strict=True))
