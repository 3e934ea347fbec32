"""TFLite files that compute nothing, for what a model takes and gives."""

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
from ai_edge_litert.schema_py_generated import BufferT, ModelT, SubGraphT, TensorT, TensorType

Shape = Sequence[int]


def write_tflite(path: Path, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Path:
    """Writes a model that takes uint8 and gives float32 of these shapes."""
    tensors = [_tensor(shape, TensorType.UINT8) for shape in inputs]
    tensors += [_tensor(shape, TensorType.FLOAT32) for shape in outputs]
    numbers = list(range(len(tensors)))
    graph = SubGraphT(
        tensors=tensors,
        inputs=numbers[: len(inputs)],
        outputs=numbers[len(inputs) :],
        operators=[],
    )
    model = ModelT(version=3, operatorCodes=[], subgraphs=[graph], buffers=[BufferT()])
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(builder.Output())
    return path


def _tensor(shape: Shape, kind: int) -> TensorT:
    return TensorT(shape=list(shape), type=kind, name="", hasRank=True)
