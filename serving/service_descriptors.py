"""Descriptors of the two services, which gRPC reflection needs.

The generated `prediction_service_pb2` and `model_service_pb2` of tensorflow-serving-api do not
import beside protobuf 6; the messages and the servicers do.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

_FILES = {
    "prediction_service": (
        "PredictionService",
        (classification_pb2, get_model_metadata_pb2, inference_pb2, predict_pb2, regression_pb2),
        {
            "Classify": ("ClassificationRequest", "ClassificationResponse"),
            "Regress": ("RegressionRequest", "RegressionResponse"),
            "Predict": ("PredictRequest", "PredictResponse"),
            "MultiInference": ("MultiInferenceRequest", "MultiInferenceResponse"),
            "GetModelMetadata": ("GetModelMetadataRequest", "GetModelMetadataResponse"),
        },
    ),
    "model_service": (
        "ModelService",
        (get_model_status_pb2, model_management_pb2),
        {
            "GetModelStatus": ("GetModelStatusRequest", "GetModelStatusResponse"),
            "HandleReloadConfigRequest": ("ReloadConfigRequest", "ReloadConfigResponse"),
        },
    ),
}


def register() -> None:
    """Adds both services to the default descriptor pool."""
    for name, (service_name, modules, methods) in _FILES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"tensorflow_serving/apis/{name}.proto",
            package="tensorflow.serving",
            syntax="proto3",
            dependency=[module.DESCRIPTOR.name for module in modules],
        )
        file.options.cc_enable_arenas = True
        service = file.service.add(name=service_name)
        for method, (request, response) in methods.items():
            service.method.add(
                name=method,
                input_type=f".tensorflow.serving.{request}",
                output_type=f".tensorflow.serving.{response}",
            )
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
