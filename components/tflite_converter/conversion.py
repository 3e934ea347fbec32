"""From the `pixels` or `device_pixels` signature of a SavedModel to TFLite flatbuffers.

Both models take the grey uint8 pixels that the signature takes, n images at a time, and give its
probabilities alone: class names are strings, which TFLite's kernels for devices leave out.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.types.experimental import ConcreteFunction

from pipeline.signatures import DEVICE_PIXELS

SIGNATURE = "pixels"
PIXELS = "pixels"
PROBABILITIES = "probabilities"


def device_signature(signatures: Mapping[str, ConcreteFunction]) -> ConcreteFunction | None:
    """The signature of a loaded SavedModel that devices get: `device_pixels`, or else `pixels`."""
    return signatures.get(DEVICE_PIXELS) or signatures.get(SIGNATURE)


def freeze_pixels(saved_model: str, *, for_devices: bool = False) -> ConcreteFunction:
    """Loads a SavedModel and freezes its `pixels` signature down to the probabilities.

    Freezing comes first because the converter reads variables of a restored concrete function as
    uninitialised, and the model it writes answers NaN.

    Args:
        saved_model: folder of a SavedModel with the signature `pixels`.
        for_devices: takes `device_signature` in its place.

    Returns:
        A function from uint8[n, h, w, 1] to float32[n, c] with constants for variables, and
        without the operations that only the other outputs need.

    Raises:
        ValueError: the SavedModel has no such signature, input or output.
    """
    loaded = tf.saved_model.load(saved_model)  # It owns the variables that the function reads.
    signatures = loaded.signatures
    signature = device_signature(signatures) if for_devices else signatures.get(SIGNATURE)
    if signature is None or PROBABILITIES not in signature.structured_outputs:
        raise ValueError(f"{saved_model} has no signature {SIGNATURE!r} that gives {PROBABILITIES}")
    spec = signature.structured_input_signature[1][PIXELS]

    @tf.function(input_signature=[tf.TensorSpec(spec.shape, spec.dtype, PIXELS)])
    def probabilities(pixels: tf.Tensor) -> tf.Tensor:
        return signature(**{PIXELS: pixels})[PROBABILITIES]

    return convert_variables_to_constants_v2(probabilities.get_concrete_function())


def convert_float(frozen: ConcreteFunction) -> bytes:
    """Converts to a float32 model: uint8[n, h, w, 1] in, float32[n, c] probabilities out."""
    with _converter(_graph(frozen), frozen, tf.uint8) as converter:
        return converter.convert()


def convert_int8(frozen: ConcreteFunction, representative: Iterable[np.ndarray]) -> bytes:
    """Converts to a full integer model: int8 weights and activations, no float tensor at all.

    The input is uint8[n, h, w, 1], scale 1 and zero point 0: a pixel's value is the quantised
    value. The output is uint8[n, c]: `(value - zero_point) * scale` is a probability, with the
    scale and zero point of the output tensor (1/256 and 0 after a softmax).

    Args:
        frozen: what `freeze_pixels` returns.
        representative: images uint8[h, w, 1] whose activations set the quantisation ranges.

    Raises:
        ValueError: something else than a cast to float32 reads the pixels.
    """

    def pixel_values() -> Iterator[list[np.ndarray]]:
        for image in representative:
            yield [image[np.newaxis].astype(np.float32)]
        # Black and white make the input range exactly 0 to 255, hence its scale 1.
        stripes = np.zeros([1, *frozen.inputs[0].shape[1:]], np.float32)
        stripes[:, ::2] = 255.0
        yield [stripes]

    with _converter(with_float_pixels(frozen), frozen, tf.float32) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pixel_values
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
        return converter.convert()


@contextmanager
def _converter(
    graph: tf.compat.v1.GraphDef, frozen: ConcreteFunction, dtype: tf.DType
) -> Iterator[tf.lite.TFLiteConverter]:
    """Makes a converter that names the model's signature, input and output.

    Only models that come from a SavedModel keep these names, so the frozen graph goes through one.
    """

    @tf.function(input_signature=[tf.TensorSpec(frozen.inputs[0].shape, dtype, PIXELS)])
    def predict(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        (probabilities,) = tf.graph_util.import_graph_def(
            graph, {frozen.inputs[0].name: pixels}, [frozen.outputs[0].name]
        )
        return {PROBABILITIES: probabilities}

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(
            tf.Module(),
            folder,
            signatures={SIGNATURE: predict.get_concrete_function()},
            # An activation such as silu has one, which reads what freezing made a constant.
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        yield tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])


def with_float_pixels(frozen: ConcreteFunction) -> tf.compat.v1.GraphDef:
    """Returns the graph with a float32 input in [0, 255] in place of uint8 and its casts.

    The quantiser only quantises what is float: left as it is, the input would be cast to float
    and quantised again inside the model.

    Args:
        frozen: what `freeze_pixels` returns; names of its input and output stay.

    Raises:
        ValueError: something else than a cast to float32 reads the pixels.
    """
    graph = _graph(frozen)
    pixels = frozen.inputs[0].op.name
    float32 = tf.float32.as_datatype_enum
    carriers = [pixels]
    while carriers:
        carrier = carriers.pop()
        for node in graph.node:
            if node.name == carrier == pixels:
                node.attr["dtype"].type = float32
            elif carrier not in {name.split(":")[0] for name in node.input}:
                continue
            elif node.op == "Identity":
                node.attr["T"].type = float32
                carriers.append(node.name)
            elif node.op == "Cast" and node.attr["DstT"].type == float32:
                node.op = "Identity"
                node.attr.clear()
                node.attr["T"].type = float32
            else:
                raise ValueError(f"pixels must be cast to float32 first, but {node.op} reads them")
    return graph


def _graph(frozen: ConcreteFunction) -> tf.compat.v1.GraphDef:
    """Returns the frozen graph with names that are the same in every process.

    What was a captured variable is named by a number that counts all objects of the process, and
    the name of a tensor ends up in the model, which would then never be the same file twice.
    """
    graph = frozen.graph.as_graph_def()
    numbers = sorted((node.name for node in graph.node if node.name.isdigit()), key=int)
    names = {number: f"weights_{index}" for index, number in enumerate(numbers)}
    for node in graph.node:
        node.name = names.get(node.name, node.name)
        for index, source in enumerate(node.input):
            control = "^" if source.startswith("^") else ""
            name, colon, output = source.removeprefix("^").partition(":")
            node.input[index] = control + names.get(name, name) + colon + output
    return graph
