"""What a call does once its request is a protocol message, whichever protocol it came by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorflow_serving.apis import get_model_metadata_pb2

from serving.deadline import NO_DEADLINE, Deadline
from serving.errors import ServingError, from_exception, invalid_argument
from serving.inference import Inference
from serving.metrics import Metrics
from serving.servable import Servable
from serving.server_core import ServerCore

SIGNATURE_DEF = "signature_def"
_LOG_KINDS = {
    "Predict": "predict_log",
    "Classify": "classify_log",
    "Regress": "regress_log",
    "MultiInference": "multi_inference_log",
}


class Calls:
    """Finds the servable, answers, counts, and samples for the request log."""

    def __init__(self, core: ServerCore, inference: Inference, metrics: Metrics) -> None:
        self.core = core
        self.inference = inference
        self.metrics = metrics
        self._methods: dict[str, Callable[[Servable, Any, Any, Deadline], None]] = {
            "Predict": inference.predict,
            "Classify": inference.classify,
            "Regress": inference.regress,
            "MultiInference": inference.multi_inference,
        }

    def infer(
        self, api: str, request: Any, response: Any, deadline: Deadline = NO_DEADLINE
    ) -> None:
        """Answers an inference request.

        Args:
          api: `Predict`, `Classify`, `Regress` or `MultiInference`.
          request: the request message.
          response: the message to fill.
          deadline: until when somebody waits for it.

        Raises:
          ServingError: as the client is told.
        """
        try:
            model_spec = _model_spec(api, request)
            with self.core.servable(model_spec) as servable:
                self._methods[api](servable, request, response, deadline)
        except Exception as error:
            known = from_exception(error)
            self.count(_named_spec(request), known)
            raise known from error
        self.count(model_spec, None)
        self._log(api, request, response, model_spec.name)

    def count(self, model_spec: Any, error: ServingError | None) -> None:
        """Counts a request by its outcome; names that no model has share one label."""
        self.metrics.count_request(self._label(model_spec), error.code.name if error else "OK")

    def observe(self, request: Any, api: str, entrypoint: str, seconds: float) -> None:
        """Records how long a whole request took in the server."""
        self.metrics.observe_request(self._label(_named_spec(request)), api, entrypoint, seconds)

    def metadata(self, request: Any, response: Any) -> None:
        """Answers a GetModelMetadataRequest.

        Raises:
          ServingError: as the client is told.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for name in request.metadata_field:
            if name != SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {name} is not supported")
        with self.core.servable(request.model_spec) as servable:
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in servable.signature_defs.items():
                signatures.signature_def[name].CopyFrom(definition)
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[SIGNATURE_DEF].Pack(signatures)

    def _label(self, model_spec: Any) -> str:
        # Any name a client makes up would otherwise stay in memory as a time series.
        return model_spec.name if self.core.manager.knows(model_spec.name) else ""

    def _log(self, api: str, request: Any, response: Any, model: str) -> None:
        log = self.core.request_log
        if log.samples(model):
            answered = response.results[0] if api == "MultiInference" else response
            log.add(_LOG_KINDS[api], request, response, answered.model_spec)


def _named_spec(request: Any) -> Any:
    tasks = getattr(request, "tasks", None)
    return tasks[0].model_spec if tasks else getattr(request, "model_spec", _NO_MODEL)


_NO_MODEL = get_model_metadata_pb2.GetModelMetadataRequest().model_spec


def _model_spec(api: str, request: Any) -> Any:
    if api != "MultiInference":
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        return request.model_spec
    if not request.tasks:
        raise invalid_argument("Inputs have to be provided in a MultiInferenceRequest.")
    names = {task.model_spec.name for task in request.tasks}
    if "" in names:
        raise invalid_argument(
            "Found empty ModelSpec::name in one of the MultiInferenceRequest tasks."
        )
    if len(names) > 1:
        raise invalid_argument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )
    return request.tasks[0].model_spec
