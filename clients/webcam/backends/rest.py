"""A server that speaks TensorFlow Serving's REST API."""

import base64
import http.client
import json
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from clients.webcam.backends import BackendUnavailableError, Prediction
from clients.webcam.backends.probe import SIGNATURE, blank_example
from clients.webcam.crops import batch
from pipeline.errors import UserError

_PIXELS = "pixels"
_POLL_SECONDS = 1.0
_STRANGER = "what answers is not TensorFlow Serving"


class RestServer:
    """A model behind `/v1/models/<model>`, asked through the signature `pixels`.

    A REST answer does not say which version it is of, so the newest is looked up each second and
    asked by its number; an answer is then certainly of the version that is shown.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        tls: bool = False,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 5.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Prepares a connection; nothing is sent before the first face.

        Args:
          address: `host:port`.
          model: The model's name on the server.
          tls: Whether to speak HTTPS.
          version: Asks this version rather than the newest.
          label: Asks the version that this label points at; the answer is shown under the label.
          timeout: Seconds that an answer may take.
          clock: Seconds; tests pass their own.
        """
        self.name = f"REST {address}"
        self._root = f"/v1/models/{_in_path(model)}"
        self._fixed = ""
        if version:
            self._fixed = f"/versions/{version}"
        elif label:
            self._fixed = f"/labels/{_in_path(label)}"
        self._clock = clock
        kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
        self._connection = kind(address, timeout=timeout)
        self._polled = -_POLL_SECONDS
        self._target = ""
        self._size = 0
        self._labels: tuple[str, ...] = ()

    def predict(self, faces: Sequence[np.ndarray]) -> Prediction:
        """See `Backend`."""
        try:
            if self._clock() - self._polled >= _POLL_SECONDS:
                self._look_up()
            body = {
                "signature_name": _PIXELS,
                "inputs": {_PIXELS: batch(faces, self._size).tolist()},
            }
            outputs = self._call(f"{self._target}:predict", body)["outputs"]
            probabilities = np.array(outputs["probabilities"], np.float32)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise BackendUnavailableError(_STRANGER) from None
        except (BackendUnavailableError, UserError):
            self._polled = -_POLL_SECONDS
            raise
        return Prediction(probabilities, self._labels, unquote(self._target.rpartition("/")[2]))

    def close(self) -> None:
        """See `Backend`."""
        self._connection.close()

    def _look_up(self) -> None:
        """Finds the version to ask; if it is another than before, its image size and classes.

        A label may move without a trace, so its size and classes are asked each time.
        """
        target = self._fixed or f"/versions/{self._newest()}"
        if target != self._target or target.startswith("/labels/"):
            signatures = self._call(f"{target}/metadata")["metadata"]["signature_def"]
            signature = signatures["signature_def"].get(_PIXELS)
            if signature is None:
                raise UserError(
                    f"The model at {self.name} has no signature `{_PIXELS}`; push it again."
                )
            self._size = int(signature["inputs"][_PIXELS]["tensor_shape"]["dim"][1]["size"])
            example = {"b64": base64.b64encode(blank_example(self._size)).decode()}
            body = {"signature_name": SIGNATURE, "inputs": {"inputs": [example]}}
            outputs = self._call(f"{target}:predict", body)["outputs"]
            self._labels = tuple(outputs["classes"][0])
            self._target = target
        self._polled = self._clock()

    def _newest(self) -> int:
        statuses = self._call("")["model_version_status"]
        available = [int(one["version"]) for one in statuses if one["state"] == "AVAILABLE"]
        if not available:
            raise BackendUnavailableError("the server has no version loaded")
        return max(available)

    def _call(self, path: str, body: Any = None) -> Any:
        """Returns the answer's JSON.

        Raises:
          BackendUnavailableError: no answer, or one that may be another the next time.
          UserError: the server says that the request is wrong.
        """
        status, text = self._exchange(path, body)
        try:
            answer = json.loads(text)
        except ValueError:
            raise BackendUnavailableError(_STRANGER) from None
        if status == http.client.OK:
            return answer
        reason = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if status == http.client.BAD_REQUEST and body is not None:
            raise UserError(f"{self.name} refused the request: {reason}")
        if status == http.client.NOT_FOUND:
            raise BackendUnavailableError("the server has no such model")
        raise BackendUnavailableError(f"the server answered {status}")

    def _exchange(self, path: str, body: Any) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body)
        reused = self._connection.sock is not None
        try:
            self._connection.request("GET" if body is None else "POST", self._root + path, content)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            self._connection.close()
            raise BackendUnavailableError("the server is too slow") from None
        except (OSError, http.client.HTTPException):
            self._connection.close()
            if reused:
                # The server closed a connection that lay idle; a new one shows whether it is there.
                return self._exchange(path, body)
            raise BackendUnavailableError("the server is not there") from None


def _in_path(name: str) -> str:
    # The terminal may give bytes that are no text.
    return quote(name, safe="", errors="surrogateescape")
