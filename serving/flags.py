"""Command line of `python -m serving`: tensorflow_model_server's own flags.

Names, defaults and meanings are those of `tensorflow_serving/model_servers/main.cc`. A flag of the
real server that this one does not implement is refused by name; nothing is silently ignored.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn

from pipeline.errors import UserError
from serving import channel_arguments

UNSUPPORTED_FLAGS = (
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "flush_filesystem_caches",
    "force_allow_any_version_labels_for_unavailable_models",
    "mixed_precision",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "platform_config_file",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "skip_initialize_tpu",
    "tensorflow_session_config_file",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "use_tflite_model",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
)


@dataclass(frozen=True)
class ServerOptions:
    """Everything the server is started with; defaults are tensorflow_model_server's."""

    port: int = 8500
    grpc_socket_path: str = ""
    rest_api_port: int = 0
    rest_api_num_threads: int = 0
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    enable_batching: bool = False
    batching_parameters_file: str = ""
    allow_version_labels_for_unavailable_models: bool = False
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    model_name: str = "default"
    model_base_path: str = ""
    num_load_threads: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    file_system_poll_wait_seconds: int = 1
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    per_process_gpu_memory_fraction: float = 0.0
    saved_model_tags: str = "serve"
    ssl_config_file: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 0
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    monitoring_config_file: str = ""
    enable_signature_method_name_check: bool = False
    # The only default that differs: probes of a container need no flag.
    enable_grpc_healthcheck_service: bool = True
    version: bool = False
    # Of this server only.
    bind_address: str = "127.0.0.1"
    ports_file: str = ""
    rest_api_ssl_config_file: str = ""
    max_request_bytes: int = 8 * 1024 * 1024
    max_instances: int = 1024
    max_image_pixels: int = 4096 * 4096
    max_concurrent_requests: int = 1024
    drain_seconds: float = 10.0

    @property
    def tags(self) -> frozenset[str]:
        """The tag set of the MetaGraphDef to load."""
        return frozenset(tag for tag in self.saved_model_tags.split(",") if tag)

    @property
    def host(self) -> str:
        """The bind address, without the brackets that an IPv6 address may be given in."""
        return self.bind_address.removeprefix("[").removesuffix("]")

    @property
    def polls_model_config(self) -> bool:
        """Whether an edited model config file is taken up."""
        return bool(self.model_config_file) and self.model_config_file_poll_wait_seconds > 0


_HELP = {
    "port": "gRPC port; 0 turns it off (with --ports_file: any free port)",
    "grpc_socket_path": "listen for gRPC on this UNIX socket, also or, with --port=0, only",
    "rest_api_port": "REST port; 0 turns REST off (with --ports_file: any free port)",
    "rest_api_num_threads": "threads that answer REST calls; 0 chooses",
    "rest_api_timeout_in_ms": "longest time a request may take, in milliseconds",
    "rest_api_enable_cors_support": "answer REST calls with CORS headers",
    "enable_batching": "run concurrent requests as one batch",
    "batching_parameters_file": "BatchingParameters text proto; needs --enable_batching",
    "allow_version_labels_for_unavailable_models": "let a new label name a version not yet loaded",
    "model_config_file": "ModelServerConfig text proto; --model_name and --model_base_path then "
    "count for nothing",
    "model_config_file_poll_wait_seconds": "re-read the model config this often; 0 or less reads "
    "it once",
    "model_name": "name of the one model served from --model_base_path",
    "model_base_path": "folder that holds one numbered folder a version",
    "num_load_threads": "versions loaded at the same time; 0 loads one after the other",
    "max_num_load_retries": "attempts after a first load that failed",
    "load_retry_interval_micros": "microseconds between two load attempts",
    "file_system_poll_wait_seconds": "look for new versions this often; 0 looks once",
    "tensorflow_session_parallelism": "threads of TensorFlow's pools; 0 chooses",
    "tensorflow_intra_op_parallelism": "threads that share one operation; 0 chooses",
    "tensorflow_inter_op_parallelism": "operations that run at once; 0 chooses",
    "per_process_gpu_memory_fraction": "share of GPU memory, 0 lets TensorFlow choose",
    "saved_model_tags": "comma-separated tags of the graph to load",
    "ssl_config_file": "SSLConfig text proto for the gRPC port",
    "grpc_channel_arguments": "comma-separated key=value arguments of the gRPC server",
    "grpc_max_threads": "threads that answer gRPC calls; 0 chooses",
    "enable_model_warmup": "replay assets.extra/tf_serving_warmup_requests before serving",
    "num_request_iterations_for_warmup": "times each warm-up request is replayed; 0 means once",
    "monitoring_config_file": "MonitoringConfig text proto; turns on Prometheus metrics",
    "enable_signature_method_name_check": "let Classify and Regress use only signatures with "
    "their method name",
    "enable_grpc_healthcheck_service": "answer grpc.health.v1",
    "version": "print the versions and exit",
    "bind_address": "address both ports listen on, IPv4 or IPv6; 0.0.0.0 opens them to the network",
    "ports_file": "write the ports in use to this file as JSON once every model is loaded",
    "rest_api_ssl_config_file": "SSLConfig text proto for the REST port",
    "max_request_bytes": f"largest request, in bytes, at most {channel_arguments.INT_MAX}",
    "max_instances": "most instances in one request",
    "max_image_pixels": "largest image a request may carry, in pixels of all its frames, read "
    "before decoding",
    "max_concurrent_requests": "requests in the server at once, for gRPC and for REST",
    "drain_seconds": "time that requests under way have to end after a stop signal",
}

_EXTENSIONS = 8  # The last fields of ServerOptions.
_LAST_PORT = 65535
_LEAST = {
    "grpc_max_threads": 0,
    "rest_api_num_threads": 0,
    "rest_api_timeout_in_ms": 0,
    "drain_seconds": 0,
    "max_request_bytes": 1,
    "max_instances": 1,
    "max_image_pixels": 1,
    "max_concurrent_requests": 1,
}
_MOST = {
    "max_request_bytes": channel_arguments.INT_MAX,
    # ConfigProto holds them in as many bits.
    "tensorflow_session_parallelism": channel_arguments.INT_MAX,
    "tensorflow_intra_op_parallelism": channel_arguments.INT_MAX,
    "tensorflow_inter_op_parallelism": channel_arguments.INT_MAX,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (--help lists the flags)")


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m serving",
        description="Serves SavedModels over TensorFlow Serving's gRPC and REST APIs.",
        allow_abbrev=False,
    )
    shared = parser.add_argument_group("flags of tensorflow_model_server")
    own = parser.add_argument_group("flags of this server only")
    options = fields(ServerOptions)
    for index, field in enumerate(options):
        group = own if index >= len(options) - _EXTENSIONS else shared
        shown = "" if field.default == "" else f" (default {field.default})"
        settings: dict[str, object] = {
            "default": field.default,
            "help": (_HELP[field.name] + shown).replace("%", "%%"),
        }
        if isinstance(field.default, bool):
            settings |= {"type": _boolean, "nargs": "?", "const": True, "metavar": "BOOL"}
        else:
            settings |= {"type": type(field.default), "metavar": type(field.default).__name__}
        group.add_argument(f"--{field.name}", **settings)  # type: ignore[arg-type]
    return parser


def parse_flags(arguments: Sequence[str]) -> ServerOptions:
    """Reads the command line.

    Raises:
      UserError: an unknown, unsupported or contradictory flag, named in the message.
    """
    for argument in arguments:
        name = argument.lstrip("-").split("=", 1)[0]
        if argument.startswith("-") and name in UNSUPPORTED_FLAGS:
            raise UserError(
                f"--{name} is a flag of tensorflow_model_server that this embedded server does "
                "not support; remove it or use TensorFlow Serving itself."
            )
    options = ServerOptions(**vars(_build_parser().parse_args(list(arguments))))
    if not options.version:
        _check(options)
    return options


def _check(options: ServerOptions) -> None:
    if not options.model_config_file and not options.model_base_path:
        raise UserError("Name the models to serve: --model_config_file or --model_base_path.")
    if options.model_base_path and not os.path.isabs(options.model_base_path):  # noqa: PTH117
        raise UserError(
            f"--model_base_path={options.model_base_path} is relative; give an absolute path."
        )
    if options.batching_parameters_file and not options.enable_batching:
        raise UserError("--batching_parameters_file needs --enable_batching.")
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(options, name) <= _LAST_PORT:
            raise UserError(
                f"--{name}={getattr(options, name)} is no port; ports go from 0 to {_LAST_PORT}."
            )
    if options.port and options.port == options.rest_api_port:
        raise UserError(f"--port and --rest_api_port are both {options.port}; they must differ.")
    if options.monitoring_config_file and not (options.rest_api_port or options.ports_file):
        raise UserError("--monitoring_config_file needs --rest_api_port: metrics are served there.")
    if options.tensorflow_session_parallelism and (
        options.tensorflow_intra_op_parallelism or options.tensorflow_inter_op_parallelism
    ):
        raise UserError(
            "Give either --tensorflow_session_parallelism or the intra and inter op flags."
        )
    _check_bounds(options)
    channel_arguments.parse(options.grpc_channel_arguments)
    if options.ports_file and not Path(options.ports_file).parent.is_dir():
        raise UserError(f"--ports_file={options.ports_file} is in a folder that does not exist.")
    if not options.tags:
        raise UserError("--saved_model_tags is empty; 'serve' is the usual tag.")


def _check_bounds(options: ServerOptions) -> None:
    for name, least in _LEAST.items():
        if getattr(options, name) < least:
            raise UserError(f"--{name} must be at least {least}.")
    for name, most in _MOST.items():
        if getattr(options, name) > most:
            raise UserError(f"--{name} must be at most {most}.")
