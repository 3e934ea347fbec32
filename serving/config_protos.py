"""Protocol messages of TensorFlow Serving's config files that no Python package carries.

Field names and numbers are those of `session_bundle_config.proto` (BatchingParameters),
`ssl_config.proto` and `monitoring_config.proto`, so that `text_format` rejects what the real
server rejects.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_STRING, _BOOL, _INT64, _MESSAGE = (
    _Field.TYPE_STRING,
    _Field.TYPE_BOOL,
    _Field.TYPE_INT64,
    _Field.TYPE_MESSAGE,
)
_INT64_VALUE = ".google.protobuf.Int64Value"
_STRING_VALUE = ".google.protobuf.StringValue"


def _add(
    message: Any, number: int, name: str, kind: Any, *, type_name: str = "", repeated: bool = False
) -> None:
    message.field.add(
        name=name,
        number=number,
        type=kind,
        type_name=type_name or None,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
    )


def _build_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)

    file = descriptor_pb2.FileDescriptorProto(
        name="serving/config_protos.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers.name],
    )
    batching = file.message_type.add(name="BatchingParameters")
    for number, name in enumerate(
        ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"), 1
    ):
        _add(batching, number, name, _MESSAGE, type_name=_INT64_VALUE)
    _add(batching, 5, "thread_pool_name", _MESSAGE, type_name=_STRING_VALUE)
    _add(batching, 6, "allowed_batch_sizes", _INT64, repeated=True)
    _add(batching, 7, "pad_variable_length_inputs", _BOOL)

    ssl = file.message_type.add(name="SSLConfig")
    for number, name in enumerate(("server_key", "server_cert", "custom_ca"), 1):
        _add(ssl, number, name, _STRING)
    _add(ssl, 4, "client_verify", _BOOL)

    prometheus = file.message_type.add(name="PrometheusConfig")
    _add(prometheus, 1, "enable", _BOOL)
    _add(prometheus, 2, "path", _STRING)
    monitoring = file.message_type.add(name="MonitoringConfig")
    _add(
        monitoring,
        1,
        "prometheus_config",
        _MESSAGE,
        type_name=".tensorflow.serving.PrometheusConfig",
    )
    pool.Add(file)
    return pool


_POOL = _build_pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(
        _POOL.FindMessageTypeByName(f"tensorflow.serving.{name}")
    )


BatchingParameters = _message("BatchingParameters")
SSLConfig = _message("SSLConfig")
MonitoringConfig = _message("MonitoringConfig")
