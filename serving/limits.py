"""Bounds that every request must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow.core.example import example_pb2

from serving.errors import invalid_argument
from serving.image_bounds import pixel_count


@dataclass(frozen=True)
class Limits:
    """Largest request taken.

    Attributes:
      max_request_bytes: of the whole request, and of each tensor it declares.
      max_instances: first dimension of an input.
      max_image_pixels: of one encoded image, given bare or in a tf.Example.
    """

    max_request_bytes: int = 8 * 1024 * 1024
    max_instances: int = 1024
    max_image_pixels: int = 4096 * 4096

    def check(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Checks the inputs of a request before they reach the graph.

        Raises:
          ServingError: INVALID_ARGUMENT, naming the bound.
        """
        for name, values in feeds.items():
            if values.ndim and values.shape[0] > self.max_instances:
                raise invalid_argument(
                    f"input {name} has {values.shape[0]} instances; "
                    f"this server takes at most {self.max_instances} in a request"
                )
            if values.dtype == object:
                for position, value in enumerate(values.flat):
                    self._check_image(name, position, value)

    def _check_image(self, name: str, position: int, value: bytes) -> None:
        pixels = pixel_count(value)
        if pixels is None:
            pixels = max(map(_pixels, _byte_features(value)), default=0)
        if pixels > self.max_image_pixels:
            raise invalid_argument(
                f"image {position} of input {name} declares {pixels} pixels; "
                f"this server takes at most {self.max_image_pixels}"
            )


def _pixels(value: bytes) -> int:
    return pixel_count(value) or 0


def _byte_features(serialized: bytes) -> list[bytes]:
    """Byte values of a serialized tf.Example; none when it is something else."""
    try:
        example = example_pb2.Example.FromString(serialized)
    except DecodeError:
        return []
    return [
        value for feature in example.features.feature.values() for value in feature.bytes_list.value
    ]
