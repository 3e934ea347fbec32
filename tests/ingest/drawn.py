"""Drawn images and archives for the ingestion tests."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def pixels(seed: int, height: int = 24, width: int = 20, channels: int = 0) -> np.ndarray:
    """Noise: uint8[height, width] or uint8[height, width, channels]."""
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(seed: int, image_format: str = "PNG", **kwargs: int) -> bytes:
    """A drawn image as a file's bytes."""
    buffer = io.BytesIO()
    options = {"lossless": True} if image_format == "WEBP" else {}
    Image.fromarray(pixels(seed, **kwargs)).save(buffer, image_format, **options)
    return buffer.getvalue()


def labelled(
    train: int = 6, held_out: int = 3, classes: tuple[str, ...] = ("happy", "sad")
) -> dict[str, bytes]:
    """File name to bytes in the layout of Kaggle's archive, every image different."""
    files: dict[str, bytes] = {}
    for split, count in (("train", train), ("test", held_out)):
        for label in classes:
            for _ in range(count):
                files[f"{split}/{label}/{len(files):03d}.png"] = encoded(len(files))
    return files


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """Packs files in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Writes files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root
