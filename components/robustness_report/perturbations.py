"""What light, cameras, networks and face detectors do to a face image, at set strengths.

Corruptions after Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019, as far as they make sense of a small grey face, and the
errors of framing that a detector makes. Every strength leaves the expression readable to people.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf
from scipy import ndimage


class Apply(Protocol):
    """Changes images."""

    def __call__(
        self, pixels: np.ndarray, strength: float, generator: np.random.Generator
    ) -> np.ndarray:
        """Maps uint8[n, side, side, 1] to changed pixels of the same shape and type."""


@dataclass(frozen=True)
class Perturbation:
    """A kind of change.

    Attributes:
        name: as reports call it.
        form: how a strength is written, as a format.
        strengths: mildest first; of the brightness, darkest first.
        apply: changes images; what is random in it comes from its generator.
    """

    name: str
    form: str
    strengths: tuple[float, ...]
    apply: Apply


def brighten(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Adds grey levels, of 255, and clips."""
    del generator
    return _clip(pixels.astype(np.float32) + strength)


def fade(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Takes a share of the contrast away, about each image's mean."""
    del generator
    values = pixels.astype(np.float32)
    mean = values.mean(axis=(1, 2, 3), keepdims=True)
    return _clip(mean + (values - mean) * (1.0 - strength))


def blur(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Gaussian blur whose standard deviation is a share of the side."""
    del generator
    sigma = strength * pixels.shape[1]
    blurred = ndimage.gaussian_filter(
        pixels, (0.0, sigma, sigma, 0.0), output=np.float32, mode="nearest"
    )
    return _clip(blurred)


def compress(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Encodes as JPEG of a quality from 1 to 100 and decodes."""
    del generator
    encoded = (
        tf.io.encode_jpeg(image, format="grayscale", quality=int(strength)) for image in pixels
    )
    return np.stack([tf.io.decode_jpeg(one, channels=1).numpy() for one in encoded])


def rotate(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Rotates about the centre, every other image the other way; borders repeat the edge."""
    del generator
    changed = np.empty_like(pixels)
    for start, angle in ((0, strength), (1, -strength)):
        changed[start::2] = _clip(
            ndimage.rotate(
                pixels[start::2],
                angle,
                axes=(1, 2),
                reshape=False,
                output=np.float32,
                order=1,
                mode="nearest",
            )
        )
    return changed


def translate(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Shifts by a share of the side, up, down, left and right in turn; borders repeat the edge."""
    del generator
    distance = round(strength * pixels.shape[1])
    changed = np.empty_like(pixels)
    for start, (rows, columns) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        changed[start::4] = ndimage.shift(
            pixels[start::4], (0, rows * distance, columns * distance, 0), order=0, mode="nearest"
        )
    return changed


def occlude(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Covers a square whose side is a share of the image's, anywhere in it, with the mean."""
    count, side = pixels.shape[:2]
    extent = round(strength * side)
    corners = generator.integers(0, side - extent, (2, count, 1), endpoint=True)
    rows, columns = (
        (np.arange(side) >= corner) & (np.arange(side) < corner + extent) for corner in corners
    )
    covered = (rows[:, :, None] & columns[:, None, :])[..., None]
    return np.where(covered, _clip(pixels.mean(axis=(1, 2, 3), keepdims=True)), pixels)


PERTURBATIONS = (
    Perturbation("brightness, of 255", "{:+d}", (-80, -40, 40, 80), brighten),
    Perturbation("contrast lost", "{:.0%}", (0.5, 0.75), fade),
    Perturbation("blur, of the side", "{:.0%}", (0.02, 0.04), blur),
    Perturbation("JPEG quality", "{:d}", (30, 10), compress),
    Perturbation("rotation", "{:d}°", (15, 30), rotate),
    Perturbation("shift, of the side", "{:.0%}", (0.1, 0.2), translate),
    Perturbation("square covered, of the side", "{:.0%}", (0.25, 0.4), occlude),
)


def _clip(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
