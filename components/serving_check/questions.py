"""Asks a served candidate about images, over gRPC and REST."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MODEL_NAME = "candidate"
DEADLINE_SECONDS = 30.0
_WARM_UP = 3


@dataclass(frozen=True)
class Answers:
    """Answers to one image after the other.

    Attributes:
        probabilities: float[n, c].
        labels: n class names.
        milliseconds: float[n] latency of each.
    """

    probabilities: np.ndarray
    labels: list[str]
    milliseconds: np.ndarray


class QuestionError(Exception):
    """A question that the server did not answer; the message says what happened."""


def ask_over_grpc(port: int, images: Sequence[bytes]) -> Answers:
    """Sends each image alone through Predict.

    Raises:
        QuestionError: a request failed.
    """
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict

        def ask(image: bytes) -> tuple[list[float], str]:
            try:
                outputs = predict(_request(image), DEADLINE_SECONDS).outputs
            except grpc.RpcError as error:
                raise QuestionError(f"{error.code().name}: {error.details()}") from None
            probabilities = tf.make_ndarray(outputs["probabilities"])[0].tolist()
            return probabilities, outputs["label"].string_val[0].decode()

        return _ask_each(ask, images)


def ask_over_rest(port: int, images: Sequence[bytes]) -> Answers:
    """Sends each image alone through `:predict`.

    Raises:
        QuestionError: a request failed.
    """
    url = f"http://127.0.0.1:{port}/v1/models/{MODEL_NAME}:predict"
    with requests.Session() as session:
        session.trust_env = False  # A proxy must not see loopback requests.

        def ask(image: bytes) -> tuple[list[float], str]:
            body = {"instances": [{"b64": base64.b64encode(image).decode()}]}
            try:
                answer = session.post(url, json=body, timeout=DEADLINE_SECONDS)
                content = answer.json()
            except (requests.RequestException, ValueError) as error:
                raise QuestionError(type(error).__name__) from None
            if answer.status_code != requests.codes.ok:
                raise QuestionError(f"HTTP {answer.status_code}: {content.get('error')}")
            (prediction,) = content["predictions"]
            return prediction["probabilities"], prediction["label"]

        return _ask_each(ask, images)


def refuses_what_is_no_image(port: int) -> bool:
    """Whether bytes that are no image are told to be the client's mistake."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        try:
            predict(_request(b"no image"), DEADLINE_SECONDS)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.INVALID_ARGUMENT)
    return False


def _request(image: bytes) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL_NAME
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image]))
    return request


def _ask_each(ask: Callable[[bytes], tuple[list[float], str]], images: Sequence[bytes]) -> Answers:
    for image in images[:_WARM_UP]:
        ask(image)
    answers, milliseconds = [], []
    for image in images:
        started = time.perf_counter()
        answers.append(ask(image))
        milliseconds.append((time.perf_counter() - started) * 1e3)
    return Answers(
        np.array([probabilities for probabilities, _ in answers], dtype=np.float64),
        [label for _, label in answers],
        np.array(milliseconds),
    )
