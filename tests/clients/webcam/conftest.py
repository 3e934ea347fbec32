"""Models as the pipeline pushes them, made once a session; TensorFlow comes with the fixture."""

from pathlib import Path

import pytest

LABELS = ("angry", "happy", "neutral")


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with versions 1 and 2 of a model: SavedModel, float32 and int8 TFLite."""
    import numpy as np  # noqa: PLC0415

    from components.tflite_converter import conversion  # noqa: PLC0415
    from pipeline.drawn_sample import EXPRESSIONS, draw_face  # noqa: PLC0415
    from tests.serving import tiny_model  # noqa: PLC0415

    root = tmp_path_factory.mktemp("workspace")
    serving, edge = root / "serving" / "expression", root / "edge" / "expression"
    serving.mkdir(parents=True)
    generator = np.random.default_rng(1)
    images = np.stack([draw_face(EXPRESSIONS[i % 7], generator)[..., None] for i in range(28)])
    for version in (1, 2):
        frozen = conversion.freeze_pixels(str(tiny_model.export(serving, version)))
        folder = edge / str(version)
        folder.mkdir(parents=True)
        (folder / "model_float32.tflite").write_bytes(conversion.convert_float(frozen))
        (folder / "model_int8.tflite").write_bytes(conversion.convert_int8(frozen, images))
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return root
