"""Where the model runs: a server over gRPC or REST, or here through LiteRT."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class BackendUnavailableError(Exception):
    """The model cannot be asked now, but may be later; the message is one short clause."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of a batch of faces.

    Attributes:
      probabilities: float32[n, c].
      labels: c class names, in the order of the probabilities.
      version: The version that answered, as it is shown.
    """

    probabilities: np.ndarray
    labels: tuple[str, ...]
    version: str


class Backend(Protocol):
    """A model to ask; used from one thread."""

    @property
    def name(self) -> str:
        """What it is, for the screen."""
        ...

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        """Asks about all faces of a frame at once.

        Args:
          faces: At least one; grey uint8[k, k], each of its own size.

        Raises:
          BackendUnavailableError: no answer now; asking again may help.
          UserError: asking again would not help.
        """
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...
