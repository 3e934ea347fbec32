"""Drawn faces as encoded images and serialized examples."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.drawn_sample import draw_face


class Face(NamedTuple):
    """An encoded image and its class."""

    encoded: bytes
    label: str


def draw_faces(counts: Mapping[str, int], seed: int = 5) -> list[Face]:
    """Draws faces, in the order of the classes given."""
    generator = np.random.default_rng(seed)
    return [
        Face(encode(draw_face(label, generator), ".jpg"), label)
        for label, count in counts.items()
        for _ in range(count)
    ]


def encode(pixels: np.ndarray, extension: str = ".png") -> bytes:
    """Encodes uint8[h, w] or uint8[h, w, 3]."""
    done, encoded = cv2.imencode(extension, pixels)
    assert done
    return encoded.tobytes()


def example(face: Face, split: str = "train") -> bytes:
    """Serializes a face as ImageExampleGen does."""
    from components.image_example_gen.executor import encode_example  # noqa: PLC0415
    from components.image_example_gen.records import Record  # noqa: PLC0415

    digest = hashlib.sha256(face.encoded).hexdigest()
    name = f"{split}/{face.label}/{digest[:8]}.jpg"
    return encode_example(
        Record(digest, name, split, face.label, split, face.encoded, height=48, width=48)
    )
