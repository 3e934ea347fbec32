"""Test-side ways to reach a server: a REST session and the generated gRPC stubs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import grpc
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Addresses of a server: one of ours, or a real one named by TFS_ADDRESS."""

    grpc_address: str
    rest_address: str

    @classmethod
    def from_environment(cls) -> Target | None:
        """The server of TFS_ADDRESS (gRPC) and TFS_REST_ADDRESS (the next port by default)."""
        address = os.environ.get("TFS_ADDRESS")
        if not address:
            return None
        host, _, port = address.rpartition(":")
        return cls(address, os.environ.get("TFS_REST_ADDRESS", f"{host}:{int(port) + 1}"))

    @cached_property
    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.grpc_address)

    @cached_property
    def prediction(self) -> Any:
        return prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    @cached_property
    def model(self) -> Any:
        return model_service_pb2_grpc.ModelServiceStub(self.channel)

    def url(self, path: str) -> str:
        return f"http://{self.rest_address}{path}"

    def post(self, path: str, body: Any) -> requests.Response:
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return requests.post(self.url(path), data=data, timeout=DEADLINE_SECONDS)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url(path), timeout=DEADLINE_SECONDS)

    def predict(self, request: Any) -> Any:
        return self.prediction.Predict(request, DEADLINE_SECONDS)

    def versions(self, model: str) -> dict[int, str]:
        """State of each version, by number."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        states = get_model_status_pb2.ModelVersionStatus.State
        answer = self.model.GetModelStatus(request, DEADLINE_SECONDS)
        return {each.version: states.Name(each.state) for each in answer.model_version_status}


def image_request(model: str, *images: bytes, **spec: Any) -> Any:
    """A PredictRequest for encoded images."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(list(images)))
    return request
