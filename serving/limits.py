"""Bounds that every request must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from serving.errors import invalid_argument
from serving.example_bytes import image_values
from serving.image_bounds import RefusedImageError, pixel_count


@dataclass(frozen=True)
class Limits:
    """Largest request taken.

    Attributes:
      max_request_bytes: of the whole request, and of each tensor it declares.
      max_instances: first dimension of an input.
      max_image_pixels: of one encoded image with all its frames, given bare or in a tf.Example.
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
        try:
            # Both ways: bytes can be an image to one graph, and an Example to another.
            images = chain((value,), image_values(value))
            pixels = max(pixel_count(image) or 0 for image in images)
        except RefusedImageError as error:
            raise invalid_argument(f"image {position} of input {name} {error}") from None
        if pixels > self.max_image_pixels:
            raise invalid_argument(
                f"image {position} of input {name} declares {pixels} pixels; "
                f"this server takes at most {self.max_image_pixels}"
            )
