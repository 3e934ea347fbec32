"""The newest pushed TFLite model of a workspace, followed while new ones are pushed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import numpy as np

from clients.webcam.backends import Prediction
from clients.webcam.backends.tflite import TFLiteModel
from pipeline.errors import UserError
from pipeline.version_folder import VersionFolder

SHIPPED = Path(__file__).parents[2] / "models" / "expression"
_FILE = "model_int8.tflite"
_POLL_SECONDS = 2.0


class PushedModel:
    """The newest version in a folder of versions; a version pushed later takes its place."""

    def __init__(
        self, base: Path, file: str = _FILE, clock: Callable[[], float] = monotonic
    ) -> None:
        """Loads the newest version.

        Args:
          base: Folder with one sub-folder per version.
          file: Name of the model in a version's folder.
          clock: Seconds; tests pass their own.

        Raises:
          UserError: there is no version, or the newest cannot be read.
        """
        self._folder = VersionFolder(base)
        self._file = file
        self._clock = clock
        self._loaded = self._folder.newest()
        if not self._loaded:
            raise UserError(f"{base} has no pushed model; `make run` trains and pushes one.")
        self._model = self._load(self._loaded)
        self._polled = clock()

    @property
    def name(self) -> str:
        """See `Backend`."""
        return self._model.name

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        """See `Backend`."""
        if self._clock() - self._polled >= _POLL_SECONDS:
            self._polled = self._clock()
            self._follow()
        return self._model.predict(faces)

    def close(self) -> None:
        """See `Backend`."""
        self._model.close()

    def _follow(self) -> None:
        newest = self._folder.newest()
        if newest in (0, self._loaded):
            return
        self._loaded = newest
        try:
            self._model = self._load(newest)
        except UserError:
            # The version in use goes on; the broken one is looked at once.
            return

    def _load(self, version: int) -> TFLiteModel:
        return TFLiteModel(self._folder.path(version) / self._file, str(version))


def default_model(base: Path) -> PushedModel | TFLiteModel:
    """Returns the newest pushed model, or the shipped one if none was pushed.

    Args:
      base: A workspace's `edge/<model>`.

    Raises:
      UserError: there is neither.
    """
    if VersionFolder(base).newest():
        return PushedModel(base)
    if (SHIPPED / _FILE).is_file():
        return TFLiteModel(SHIPPED / _FILE, "shipped")
    raise UserError(
        f"There is no model: none was pushed to {base}, and {SHIPPED / _FILE} is missing. Run "
        "`make run` to train one, or name one with --tflite or --server."
    )
