"""Routes of the REST API, from method, path and body to an answer.

Paths and sentences are those of `http_rest_api_util.cc` and `http_rest_api_handler.cc`.
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import unquote

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from serving import rest_answers, rest_examples, rest_json, tensor_codec
from serving.calls import SIGNATURE_DEF, Calls
from serving.deadline import NO_DEADLINE, Deadline
from serving.errors import from_exception, invalid_argument
from serving.inference import fill_model_spec
from serving.signature import DEFAULT_SIGNATURE

_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_INFERENCE = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_INFORMATION = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_VERSION}(?:/(?P<resource>metadata))?",
    re.IGNORECASE | re.ASCII,
)
_ENTRYPOINT = "REST"
_VERSION_DIGITS = len(str(2**63))


class RestCalls:
    """Answers REST requests with JSON."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def answer(
        self,
        method: str,
        path: str,
        body: bytes,
        started: float,
        deadline: Deadline = NO_DEADLINE,
    ) -> bytes:
        """Answers one request.

        Args:
          method: HTTP method.
          path: path as sent, still percent-encoded.
          body: request body, unpacked.
          started: `time.perf_counter()` when the request came.
          deadline: until when the client is made to wait.

        Returns:
          The JSON answer.

        Raises:
          ServingError: as the client is told.
        """
        pattern = {"POST": _INFERENCE, "GET": _INFORMATION}.get(method)
        match = pattern.fullmatch(path) if pattern else None
        if match is None:
            raise invalid_argument(f"Malformed request: {method} {path}")
        model_spec = _model_spec(match)
        if method == "GET":
            return self._information(model_spec, match["resource"])
        api = match["method"].lower()
        answers = {"predict": self._predict, "classify": self._classify, "regress": self._regress}
        answer = answers[api](model_spec, body, deadline)
        self._calls.observe(_Named(model_spec), api, _ENTRYPOINT, time.perf_counter() - started)
        return answer

    def _information(self, model_spec: Any, resource: str | None) -> bytes:
        if not model_spec.name:
            raise invalid_argument("Missing model name in request.")
        if resource is None:
            status = get_model_status_pb2.GetModelStatusResponse()
            self._calls.core.status(model_spec, status)
            return rest_answers.proto_answer(status)
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_DEF])
        request.model_spec.CopyFrom(model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        self._calls.metadata(request, response)
        return rest_answers.metadata_answer(response)

    def _predict(self, model_spec: Any, body: bytes, deadline: Deadline) -> bytes:
        try:
            document = rest_json.parse(body)
            name = rest_json.signature_name(document) or DEFAULT_SIGNATURE
            with self._calls.core.servable(model_spec) as servable:
                if name not in servable.signatures:
                    raise invalid_argument(
                        f'Serving signature name: "{name}" not found in signature def'
                    )
                signature = servable.signatures[name]
                if not signature.inputs:
                    raise invalid_argument(f"Failed to get input map for signature: {name}")
                feeds, form = rest_json.predict_feeds(document, signature)
                outputs = self._calls.inference.run(servable, signature, feeds, "Predict", deadline)
                answer = rest_answers.predict_answer(outputs, form)
                if self._calls.core.request_log.samples(servable.name):
                    self._log_predict(model_spec, name, servable, feeds, outputs)
        except Exception as error:
            known = from_exception(error)
            self._calls.count(model_spec, known)
            raise known from error
        self._calls.count(model_spec, None)
        return answer

    def _log_predict(
        self, model_spec: Any, name: str, servable: Any, feeds: Any, outputs: Any
    ) -> None:
        request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
        request.model_spec.CopyFrom(model_spec)
        request.model_spec.signature_name = name
        fill_model_spec(response.model_spec, servable, name)
        for alias, array in feeds.items():
            tensor_codec.encode(array, request.inputs[alias])
        for alias, array in outputs.items():
            tensor_codec.encode(array, response.outputs[alias])
        self._calls.core.request_log.add("predict_log", request, response, response.model_spec)

    def _classify(self, model_spec: Any, body: bytes, deadline: Deadline) -> bytes:
        response = classification_pb2.ClassificationResponse()
        request = classification_pb2.ClassificationRequest()
        self._infer_examples("Classify", model_spec, body, deadline, request, response)
        return rest_answers.classify_answer(response.result)

    def _regress(self, model_spec: Any, body: bytes, deadline: Deadline) -> bytes:
        response = regression_pb2.RegressionResponse()
        request = regression_pb2.RegressionRequest()
        self._infer_examples("Regress", model_spec, body, deadline, request, response)
        return rest_answers.regress_answer(response.result)

    def _infer_examples(
        self, api: str, model_spec: Any, body: bytes, deadline: Deadline, *messages: Any
    ) -> None:
        request, response = messages
        request.model_spec.CopyFrom(model_spec)
        try:
            rest_examples.fill_request(rest_json.parse(body), request)
        except Exception as error:
            known = from_exception(error)
            self._calls.count(model_spec, known)
            raise known from error
        self._calls.infer(api, request, response, deadline)


class _Named:
    """The part of a request that metrics look at."""

    def __init__(self, model_spec: Any) -> None:
        self.model_spec = model_spec


def _model_spec(match: re.Match[str]) -> Any:
    model_spec = model_pb2.ModelSpec(name=unquote(match["model"] or ""))
    version, label = match["version"], match["label"]
    if version is not None:
        # Of more digits Python makes no integer.
        digits = version.lstrip("0") or "0"
        if len(digits) > _VERSION_DIGITS or int(digits) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        model_spec.version.value = int(digits)
    elif label is not None:
        model_spec.version_label = unquote(label)
    return model_spec
