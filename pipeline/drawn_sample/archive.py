"""The drawn sample as a zip in the Kaggle layout of FER2013, and as a contact sheet."""

import os
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from pipeline.drawn_sample.canvas import Image
from pipeline.drawn_sample.expressions import EXPRESSIONS
from pipeline.drawn_sample.scene import draw_face
from pipeline.errors import UserError

# Folder and file prefix of each split, as in the Kaggle archive.
_SPLITS = (("train", "Training"), ("test", "PublicTest"))
_FIRST_ID = 10_000_000
_IDS_PER_EXPRESSION = 1_000_000
_JPEG_QUALITY = 95
# The zip format's earliest time: the archive's bytes must not depend on the clock.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def draw_archive(
    path: Path,
    *,
    train_per_class: int,
    eval_per_class: int,
    seed: int,
    size: int = 48,
    expressions: Sequence[str] = EXPRESSIONS,
) -> Path:
    """Draws a sample and writes it as a zip, atomically.

    The zip holds ``train/<class>/Training_<id>.jpg`` and ``test/<class>/PublicTest_<id>.jpg``, grey
    JPEGs.  Equal arguments write equal bytes.  An image depends on the seed, its split, class and
    number only, so that a larger sample contains the smaller one.

    Args:
        path: The zip to write; its folder is made, and an existing file replaced.
        train_per_class: Images per class in ``train/``.
        eval_per_class: Images per class in ``test/``.
        seed: Seed of the whole sample, at least 0.
        size: Side of the images in pixels.
        expressions: The classes to draw.

    Returns:
        ``path``.

    Raises:
        ValueError: A count is negative or above a million, or an expression is unknown.
        UserError: The zip cannot be written.
    """
    counts = (train_per_class, eval_per_class)
    if not all(0 <= count <= _IDS_PER_EXPRESSION for count in counts):
        raise ValueError(f"images per class must be between 0 and {_IDS_PER_EXPRESSION}: {counts}")
    unknown = sorted(set(expressions) - set(EXPRESSIONS))
    if unknown:
        raise ValueError(f"unknown expressions {unknown}; known: {', '.join(EXPRESSIONS)}")
    with _replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for member, image in _members(counts, seed, size, expressions):
            archive.writestr(_entry(member), _encode(image))
    return path


def draw_contact_sheet(path: Path, *, columns: int = 12, seed: int = 0, zoom: int = 2) -> Path:
    """Draws a PNG with a row of labelled faces per class, for people to look at.

    Args:
        path: The PNG to write; its folder is made, and an existing file replaced.
        columns: Faces per class.
        seed: Seed of the sheet.
        zoom: How many times the 48-pixel faces are enlarged.

    Returns:
        ``path``.

    Raises:
        UserError: The PNG cannot be written.
    """
    side, gap, margin = 48 * zoom, 2 * zoom, 48 * zoom
    height = len(EXPRESSIONS) * (side + gap) + gap
    sheet = np.full((height, margin + columns * (side + gap) + gap), 255, np.uint8)
    for row, expression in enumerate(EXPRESSIONS):
        top = gap + row * (side + gap)
        baseline = (2 * gap, top + side // 2 + 2 * zoom)
        cv2.putText(
            sheet, expression, baseline, cv2.FONT_HERSHEY_DUPLEX, 0.24 * zoom, (40,), 1, cv2.LINE_AA
        )
        for column in range(columns):
            face = draw_face(expression, _generator(seed, 0, expression, column))
            left = margin + gap + column * (side + gap)
            enlarged = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
            sheet[top : top + side, left : left + side] = enlarged
    with _replacing(path) as file:
        file.write(cv2.imencode(".png", sheet)[1].tobytes())
    return path


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that takes the path's place if the block succeeds, or else goes."""
    # Containers that share the folder may have one process id.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"The drawn sample cannot be written to {path}: {error.strerror or error}; "
            "choose a folder that is writable and has room."
        ) from error
    finally:
        # Suppressed: where no file could be made, none can be removed, and that was said above.
        with suppress(OSError):
            temporary.unlink()


def _members(
    counts: tuple[int, int], seed: int, size: int, expressions: Sequence[str]
) -> Iterator[tuple[str, Image]]:
    for split, ((folder, prefix), count) in enumerate(zip(_SPLITS, counts, strict=True)):
        for expression in sorted(expressions):
            first = _FIRST_ID + EXPRESSIONS.index(expression) * _IDS_PER_EXPRESSION
            for index in range(count):
                image = draw_face(expression, _generator(seed, split, expression, index), size)
                yield f"{folder}/{expression}/{prefix}_{first + index}.jpg", image


def _generator(seed: int, split: int, expression: str, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, split, EXPRESSIONS.index(expression), index])


def _entry(member: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(member, _TIMESTAMP)
    info.external_attr = 0o644 << 16
    info.create_system = 3  # Unix, on every platform.
    return info


def _encode(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
