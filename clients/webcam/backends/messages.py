"""The protocol messages of TensorFlow Serving that the client speaks, without TensorFlow.

`tensorflow-serving-api` depends on TensorFlow, and the light alternatives carry some hundred
generated modules and are no longer kept. These messages have the fields that this client reads and
writes, by their names and numbers in `predict.proto`, `model.proto`, `get_model_metadata.proto`,
`meta_graph.proto`, `tensor.proto`, `tensor_shape.proto` and `example.proto`; protobuf keeps what it
does not know. A test compares them with the originals. They live in a pool of their own, so that
TensorFlow may be imported beside them, and take some milliseconds to make.
"""

from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "float": _Field.TYPE_FLOAT,
}

# Message: field: (number, type). `*` repeats; `map:` maps strings to the type. Enums are int32 on
# the wire.
_MESSAGES: dict[str, dict[str, dict[str, tuple[int, str]]]] = {
    "tensorflow": {
        "TensorShapeProto": {"dim": (2, "*tensorflow.TensorShapeProto.Dim")},
        "TensorShapeProto.Dim": {"size": (1, "int64")},
        "TensorProto": {
            "dtype": (1, "int32"),
            "tensor_shape": (2, "tensorflow.TensorShapeProto"),
            "tensor_content": (4, "bytes"),
            "float_val": (5, "*float"),
            "string_val": (8, "*bytes"),
        },
        "TensorInfo": {"dtype": (2, "int32"), "tensor_shape": (3, "tensorflow.TensorShapeProto")},
        "SignatureDef": {"inputs": (1, "map:tensorflow.TensorInfo")},
        "BytesList": {"value": (1, "*bytes")},
        "Feature": {"bytes_list": (1, "tensorflow.BytesList")},
        "Features": {"feature": (1, "map:tensorflow.Feature")},
        "Example": {"features": (1, "tensorflow.Features")},
    },
    "tensorflow.serving": {
        "ModelSpec": {
            "name": (1, "string"),
            "version": (2, "google.protobuf.Int64Value"),
            "signature_name": (3, "string"),
            "version_label": (4, "string"),
        },
        "PredictRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "inputs": (2, "map:tensorflow.TensorProto"),
            "output_filter": (3, "*string"),
        },
        "PredictResponse": {
            "outputs": (1, "map:tensorflow.TensorProto"),
            "model_spec": (2, "tensorflow.serving.ModelSpec"),
        },
        "GetModelMetadataRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata_field": (2, "*string"),
        },
        "GetModelMetadataResponse": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata": (2, "map:google.protobuf.Any"),
        },
        "SignatureDefMap": {"signature_def": (1, "map:tensorflow.SignatureDef")},
    },
}


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, wrappers_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        known.DESCRIPTOR.CopyToProto(file)
        pool.Add(file)
    depends = [any_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name]
    for package, messages in _MESSAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"clients/{package}.proto", package=package, syntax="proto3", dependency=depends
        )
        made: dict[str, Any] = {}
        for name, fields in messages.items():
            outer, _, inner = name.rpartition(".")
            message = (made[outer].nested_type if outer else file.message_type).add(name=inner)
            made[name] = message
            for field, (number, kind) in fields.items():
                _add_field(message, f"{package}.{name}", field, number, kind)
        pool.Add(file)
        depends.append(file.name)
    return pool


def _add_field(message: Any, full_name: str, name: str, number: int, kind: str) -> None:
    repeated = kind.startswith(("*", "map:"))
    if kind.startswith("map:"):
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "", "key", 1, "string")
        _add_field(entry, "", "value", 2, kind.removeprefix("map:"))
        kind = f"{full_name}.{entry.name}"
    kind = kind.removeprefix("*")
    scalar = _SCALARS.get(kind)
    message.field.add(
        name=name,
        number=number,
        type=scalar or _Field.TYPE_MESSAGE,
        type_name=None if scalar else f".{kind}",
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
    )


POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


Example = _message("tensorflow.Example")
TensorProto = _message("tensorflow.TensorProto")
PredictRequest = _message("tensorflow.serving.PredictRequest")
PredictResponse = _message("tensorflow.serving.PredictResponse")
GetModelMetadataRequest = _message("tensorflow.serving.GetModelMetadataRequest")
GetModelMetadataResponse = _message("tensorflow.serving.GetModelMetadataResponse")
SignatureDefMap = _message("tensorflow.serving.SignatureDefMap")

# Of `types.proto`.
DT_FLOAT, DT_UINT8, DT_STRING = 1, 4, 7
