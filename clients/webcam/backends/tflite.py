"""A TFLite model in this process, through LiteRT."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clients.webcam import interpreter
from clients.webcam.backends import Prediction
from clients.webcam.crops import batch
from pipeline.errors import UserError


class TFLiteModel:
    """One `.tflite` file with the `labels.txt` beside it."""

    def __init__(self, path: Path, version: str = "") -> None:
        """Loads the model.

        Args:
          path: The model: grey uint8[n, s, s, 1] to probabilities[n, c], float32 or uint8.
          version: Shown with its answers.

        Raises:
          UserError: the file or its labels are missing, unreadable, or do not fit together.
        """
        self.name = f"TFLite {path.name}"
        self._version = version
        self.labels = _read_labels(path.with_name("labels.txt"))
        try:
            self._interpreter = interpreter.load(path)
        except (ValueError, RuntimeError):
            missing = "there is no such file" if not path.is_file() else "it is not a TFLite model"
            raise UserError(f"{path}: {missing}.") from None
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if (len(inputs), len(outputs)) != (1, 1):
            raise UserError(
                f"{path} has {len(inputs)} input(s) and {len(outputs)} output(s), not one of each."
            )
        [image], [output] = inputs, outputs
        shape, answer = image["shape"].tolist(), output["shape"].tolist()
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 1 or image["dtype"] != np.uint8:
            raise UserError(f"{path} takes {shape}, not grey uint8 squares [n, s, s, 1].")
        if len(answer) != 2:
            raise UserError(f"{path} gives {answer}, not probabilities [n, c].")
        if answer[1] != len(self.labels):
            raise UserError(f"{path} has {answer[1]} classes, labels.txt beside it another number.")
        self.size = int(shape[1])
        self._input, self._output = image["index"], output["index"]
        self._scale, self._zero_point = output["quantization"]

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        """See `Backend`."""
        rows = []
        # Face by face: giving the interpreter another batch size makes it plan anew, which costs
        # more than the batch saves.
        for pixels in batch(faces, self.size):
            self._interpreter.set_tensor(self._input, pixels[np.newaxis])
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output)[0])
        probabilities = np.stack(rows)
        if probabilities.dtype == np.uint8:
            probabilities = (probabilities.astype(np.float32) - self._zero_point) * self._scale
        return Prediction(probabilities.astype(np.float32), self.labels, self._version)

    def close(self) -> None:
        """See `Backend`."""


def _read_labels(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        raise UserError(f"{path} is missing: the model's class names belong beside it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
