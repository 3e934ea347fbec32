"""Reads TensorFlow Serving's configuration files, with its own validity rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import message, text_format
from tensorflow_serving.config import model_server_config_pb2

from pipeline.errors import UserError
from serving import config_protos
from serving.errors import ServingError, invalid_argument

MODEL_PLATFORM = "tensorflow"
PROMETHEUS_PATH = "/monitoring/prometheus/metrics"

_Message = TypeVar("_Message", bound=message.Message)


@dataclass(frozen=True)
class BatchingOptions:
    """How requests are gathered; the defaults are those of TensorFlow's SharedBatchScheduler."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 0
    allowed_batch_sizes: tuple[int, ...] = ()

    @property
    def threads(self) -> int:
        """Batches processed at once; one for each processor when not configured."""
        return self.num_batch_threads or os.cpu_count() or 1


def read_text_proto(path: str, target: _Message, what: str) -> _Message:
    """Parses a text proto file into `target`.

    Raises:
      UserError: the file is missing or has an unknown field or a syntax error.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise UserError(f"The {what} file {path} cannot be read: {reason}.") from None
    try:
        return text_format.Parse(text, target)
    except text_format.ParseError as error:
        raise UserError(f"The {what} file {path} is not valid: {error}") from None


def read_model_config(path: str) -> Any:
    """Reads a ModelServerConfig and checks it.

    Raises:
      UserError: the file is missing, malformed or breaks a rule of `check_model_config`.
    """
    config = read_text_proto(path, model_server_config_pb2.ModelServerConfig(), "model config")
    try:
        check_model_config(config)
    except ServingError as error:
        raise UserError(f"The model config file {path} is not valid: {error.message}") from None
    return config


def single_model_config(name: str, base_path: str) -> Any:
    """The config that --model_name and --model_base_path stand for."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=name, base_path=base_path, model_platform=MODEL_PLATFORM
    )
    return config


def check_model_config(config: Any) -> None:
    """Applies TensorFlow Serving's rules to a ModelServerConfig.

    Raises:
      ServingError: in the words of `server_core.cc`.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("ModelServer does not yet support custom model config.")
    names: set[str] = set()
    for model in config.model_config_list.config:
        if model.name in names:
            raise invalid_argument(
                f"Illegal to list model {model.name} multiple times in config list"
            )
        names.add(model.name)
        if not Path(model.base_path).is_absolute():
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )
        if model.model_type:
            raise invalid_argument(
                f"Model {model.name} sets the deprecated model_type; set model_platform instead."
            )
        if not model.model_platform:
            raise invalid_argument(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) "
                "nor ModelServerConfig::model_platform."
            )
        if model.model_platform != MODEL_PLATFORM:
            raise invalid_argument(
                f"Model {model.name} requests unsupported platform {model.model_platform}"
            )
        _check_logging(model)


def _check_logging(model: Any) -> None:
    if not model.HasField("logging_config"):
        return
    logging_config = model.logging_config
    if not logging_config.log_collector_config.filename_prefix:
        raise invalid_argument(f"logging_config of model {model.name} has no filename_prefix")
    if not 0.0 <= logging_config.sampling_config.sampling_rate <= 1.0:
        raise invalid_argument(
            f"logging_config of model {model.name} has a sampling_rate outside 0 to 1"
        )


def read_batching_options(path: str) -> BatchingOptions:
    """Reads BatchingParameters; an empty path gives the defaults.

    Raises:
      UserError: the file is missing, malformed, or its allowed batch sizes do not increase up to
        max_batch_size.
    """
    if not path:
        return BatchingOptions()
    proto = read_text_proto(path, config_protos.BatchingParameters(), "batching parameters")
    given = {
        name: getattr(proto, name).value
        for name in (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
        )
        if proto.HasField(name)
    }
    options = BatchingOptions(**given, allowed_batch_sizes=tuple(proto.allowed_batch_sizes))
    if proto.pad_variable_length_inputs:
        raise UserError(f"{path}: pad_variable_length_inputs is not supported here; remove it.")
    for name, least in (("max_batch_size", 1), ("max_enqueued_batches", 1)):
        if getattr(options, name) < least:
            raise UserError(f"{path}: {name} must be at least {least}.")
    if "num_batch_threads" in given and options.num_batch_threads < 1:
        raise UserError(f"{path}: num_batch_threads must be at least 1.")
    if options.batch_timeout_micros < 0:
        raise UserError(f"{path}: batch_timeout_micros must not be negative.")
    sizes = options.allowed_batch_sizes
    if sizes and (
        list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] != options.max_batch_size
    ):
        raise UserError(
            f"{path}: allowed_batch_sizes must increase and end with max_batch_size "
            f"({options.max_batch_size})."
        )
    return options


def read_metrics_path(path: str) -> str:
    """Path of the Prometheus metrics in a MonitoringConfig, empty when they are off.

    Raises:
      UserError: the file is missing or malformed.
    """
    if not path:
        return ""
    proto = read_text_proto(path, config_protos.MonitoringConfig(), "monitoring config")
    if not proto.prometheus_config.enable:
        return ""
    return proto.prometheus_config.path or PROMETHEUS_PATH
