"""Judges the bytes of one file: an image that every later component can decode, or a reason."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from components.image_example_gen.rejections import Rejection

# Pillow warns of many pixels on opening; sides are checked here before any is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

FORMATS = ("JPEG", "PNG", "BMP", "WEBP")

_EXIF_ORIENTATION = 0x0112
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"
_JPEG_SCAN = 0xDA
# Baseline, extended and progressive Huffman frames: what TensorFlow's decoder is sure to have.
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})


@dataclass(frozen=True)
class ImageLimits:
    """What is accepted.

    Attributes:
      min_side: Smallest height and width, in pixels.
      max_side: Largest height and width, in pixels. Pillow's own bound on their product, twice
        `Image.MAX_IMAGE_PIXELS`, holds too.
      max_file_bytes: Largest file.
      min_stddev: Smallest standard deviation of grey values, on their scale of 0 to 255.
    """

    min_side: int = 16
    max_side: int = 4096
    max_file_bytes: int = 20 << 20
    min_stddev: float = 4.0


class AcceptedImage(NamedTuple):
    """An image as it is stored.

    Attributes:
      encoded: JPEG or PNG that TensorFlow decodes, upright, 8 bits, grey or RGB. The file's own
        bytes where they are that already.
      height: Rows, in pixels.
      width: Columns, in pixels.
      content_hash: Hex digest of height, width and grey pixels.
    """

    encoded: bytes
    height: int
    width: int
    content_hash: str


def inspect(data: bytes, limits: ImageLimits) -> AcceptedImage | Rejection:
    """Decodes a file and accepts or rejects it.

    Sides are checked in the header, before a pixel is decoded. An animation stands for its first
    frame; transparent pixels count as white.

    Args:
      data: Contents of the file.
      limits: What is accepted.
    """
    if len(data) > limits.max_file_bytes:
        return Rejection.TOO_LARGE
    # Decoders raise whatever they like on hostile bytes, and none of it may stop a run.
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        return Rejection.TOO_LARGE
    except Exception:
        return Rejection.TRUNCATED if _has_signature(data) else Rejection.NOT_AN_IMAGE
    try:
        return _side_rejection(image.size, limits) or _inspect_pixels(image, data, limits)
    except Exception:
        return Rejection.TRUNCATED


def accept_pixels(pixels: npt.NDArray[np.uint8], limits: ImageLimits) -> AcceptedImage | Rejection:
    """Accepts or rejects grey pixels, stored losslessly as PNG.

    Args:
      pixels: uint8[height, width].
      limits: What is accepted.
    """
    height, width = pixels.shape
    return _side_rejection((width, height), limits) or _accept(
        Image.fromarray(pixels), None, limits
    )


def _side_rejection(size: tuple[int, int], limits: ImageLimits) -> Rejection | None:
    if min(size) < limits.min_side:
        return Rejection.TOO_SMALL
    return Rejection.TOO_LARGE if max(size) > limits.max_side else None


def _inspect_pixels(
    image: Image.Image, data: bytes, limits: ImageLimits
) -> AcceptedImage | Rejection:
    if image.format == "PNG":
        # Loading does not look at the checksums that TensorFlow's decoder insists on.
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    image.load()
    if not _has_end(image, data):
        return Rejection.TRUNCATED
    storable = _storable(_upright(image))
    keeps_bytes = storable is image and _is_plain(image, data)
    return _accept(storable, data if keeps_bytes else None, limits)


def _accept(
    image: Image.Image, encoded: bytes | None, limits: ImageLimits
) -> AcceptedImage | Rejection:
    grey = (image if image.mode == "L" else image.convert("L")).tobytes()
    if np.frombuffer(grey, np.uint8).std() < limits.min_stddev:
        return Rejection.NEARLY_CONSTANT
    width, height = image.size
    digest = hashlib.blake2b(b"%d,%d," % (height, width) + grey, digest_size=16).hexdigest()
    if encoded is None:
        buffer = io.BytesIO()
        Image.frombytes(image.mode, image.size, image.tobytes()).save(buffer, "PNG")
        encoded = buffer.getvalue()
    return AcceptedImage(encoded, height, width, digest)


def _has_signature(data: bytes) -> bool:
    return (
        data.startswith((b"\xff\xd8\xff", _PNG_SIGNATURE))
        or (data[:2] == b"BM" and data[6:10] == b"\0\0\0\0")
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
    )


def _has_end(image: Image.Image, data: bytes) -> bool:
    """Whether the end marker is there; Pillow does without one, TensorFlow does not."""
    if image.format == "JPEG":
        scans = (at for marker, at in _jpeg_segments(data) if marker == _JPEG_SCAN)
        scan = next(scans, data.rfind(bytes((0xFF, _JPEG_SCAN))))
        # A thumbnail in a segment before has an end of its own; what a scan is coded as never has.
        return data.find(_JPEG_END, scan) >= 0
    return image.format != "PNG" or _PNG_END in data


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow decodes the file's own bytes to the same pixels."""
    if image.format == "JPEG":
        return data.endswith(_JPEG_END) and _jpeg_frame(data) in _JPEG_FRAMES
    if image.format == "PNG":
        bit_depth = data[24]
        return (
            bit_depth == 8 and data.endswith(_PNG_END) and not getattr(image, "is_animated", False)
        )
    return False


def _jpeg_frame(data: bytes) -> int | None:
    """The marker of the frame header, which tells how a JPEG is coded (ITU-T T.81, table B.1)."""
    markers = (marker for marker, _ in _jpeg_segments(data))
    return next((m for m in markers if 0xC0 <= m <= 0xCF and m not in (0xC4, 0xC8, 0xCC)), None)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields marker and place of each segment up to the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # A fill byte.
            position += 1
            continue
        yield marker, position
        if marker == _JPEG_SCAN:
            return
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def _upright(image: Image.Image) -> Image.Image:
    if "exif" not in image.info or image.getexif().get(_EXIF_ORIENTATION, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def _storable(image: Image.Image) -> Image.Image:
    """Reduces any mode to 8-bit grey or RGB; the same object if it is that already."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "I" or image.mode.startswith("I;16"):
        # The high byte, as libpng's 16-to-8-bit strip does in TensorFlow.
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        canvas = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(canvas, opaque).convert("RGB")
    return image.convert("RGB")
