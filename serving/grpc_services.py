"""The gRPC services, on the servicers that tensorflow-serving-api generates."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.calls import Calls
from serving.deadline import Deadline
from serving.errors import from_exception, invalid_argument

_ENTRYPOINT = "GRPC"


def _answer(
    call: Callable[[Any, Any], None], request: Any, response: Any, context: grpc.ServicerContext
) -> Any:
    try:
        call(request, response)
    except Exception as error:
        known = from_exception(error)
        context.abort(known.code, known.message)
    return response


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._timed("Predict", request, predict_pb2.PredictResponse(), context)

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        response = classification_pb2.ClassificationResponse()
        return self._timed("Classify", request, response, context)

    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: D102, N802
        return self._timed("Regress", request, regression_pb2.RegressionResponse(), context)

    def MultiInference(  # noqa: D102, N802
        self, request: Any, context: grpc.ServicerContext
    ) -> Any:
        response = inference_pb2.MultiInferenceResponse()
        return self._timed("MultiInference", request, response, context)

    def GetModelMetadata(  # noqa: D102, N802
        self, request: Any, context: grpc.ServicerContext
    ) -> Any:
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        return _answer(self._calls.metadata, request, response, context)

    def _timed(self, api: str, request: Any, response: Any, context: grpc.ServicerContext) -> Any:
        started = time.perf_counter()
        deadline = Deadline.after(context.time_remaining(), context.is_active)

        def call(request: Any, response: Any) -> None:
            self._calls.infer(api, request, response, deadline)
            self._calls.observe(request, api, _ENTRYPOINT, time.perf_counter() - started)

        return _answer(call, request, response, context)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

        def reload(request: Any, context: grpc.ServicerContext) -> Any:
            deadline = Deadline.after(context.time_remaining(), context.is_active)
            call = partial(self._reload, deadline=deadline)
            return _answer(call, request, model_management_pb2.ReloadConfigResponse(), context)

        # A reload waits for its models and for the one before it: no other call waits with it.
        pool = ThreadPoolExecutor(1, thread_name_prefix="reload")
        reload.experimental_thread_pool = pool  # type: ignore[attr-defined] # As grpc_health does.
        self.HandleReloadConfigRequest = reload

    def GetModelStatus(  # noqa: D102, N802
        self, request: Any, context: grpc.ServicerContext
    ) -> Any:
        response = get_model_status_pb2.GetModelStatusResponse()
        return _answer(self._status, request, response, context)

    def _status(self, request: Any, response: Any) -> None:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        self._calls.core.status(request.model_spec, response)

    def _reload(self, request: Any, response: Any, deadline: Deadline) -> None:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        self._calls.core.apply(request.config, deadline)
        response.status.SetInParent()
