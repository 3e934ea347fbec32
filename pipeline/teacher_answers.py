"""A pushed model as a function that tf.data can map: from grey values to probabilities."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.grappler import tf_optimizer

from components import edge_model
from components.tflite_converter.conversion import freeze_pixels, with_float_pixels
from components.tflite_evaluator.evaluation import TFLiteModel
from pipeline import cores
from pipeline.errors import UserError
from pipeline.preprocessing import to_uint8
from pipeline.signatures import read_labels
from pipeline.teacher import model_file

Answer = Callable[[tf.Tensor], tf.Tensor]


def load(folder: str, labels: list[str], size: int, in_bfloat16: bool) -> Answer:
    """Loads a teacher.

    Args:
      folder: A pushed version, of a SavedModel or of TFLite models, whose int8 one is taken.
      labels: Class names that it must know, in this order.
      size: Side of the images that it must take, in pixels.
      in_bfloat16: Whether a SavedModel computes in half precision.

    Returns:
      From float32[n, size, size, 1] grey values to float32[n, c] probabilities. A SavedModel sees
      values beyond [0, 255]; an int8 model sees them clipped and rounded.

    Raises:
      UserError: The teacher has other classes, or takes images of another size.
    """
    version = Path(folder)
    if model_file(version) == edge_model.INT8_FILE:
        known = (version / edge_model.LABELS_FILE).read_text(encoding="utf-8").splitlines()
        side, answer = _tflite(version / edge_model.INT8_FILE, len(known))
    else:
        known = read_labels(folder)
        side, answer = _saved_model(folder, in_bfloat16)
    if known != labels:
        raise UserError(
            f"The teacher {folder} knows the classes {', '.join(known)}, the data have "
            f"{', '.join(labels)}; choose a teacher of the same classes, or none: train.teacher=''."
        )
    if side != size:
        raise UserError(
            f"The teacher {folder} takes images of {side} pixels, image.size is {size}; choose a "
            "teacher of the same size, or none: train.teacher=''."
        )
    return answer


def _tflite(path: Path, classes: int) -> tuple[int, Answer]:
    model = TFLiteModel(path, threads=cores.available())
    # tf.data maps batches in parallel, and an interpreter answers one at a time.
    lock = threading.Lock()

    def predict(pixels: np.ndarray) -> np.ndarray:
        with lock:
            return model.predict(pixels)

    def answer(pixels: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(predict, [to_uint8(pixels)], tf.float32, stateful=False)
        return tf.ensure_shape(found, [pixels.shape[0], classes])

    return model.image_size, answer


def _saved_model(folder: str, in_bfloat16: bool) -> tuple[int, Answer]:
    frozen = freeze_pixels(folder)
    (source,), (result,) = frozen.inputs, frozen.outputs
    graph = with_float_pixels(frozen)
    if in_bfloat16:
        graph = _rewritten_in_bfloat16(graph, result.name)

    @tf.function(input_signature=[tf.TensorSpec(source.shape, tf.float32)])
    def answer(pixels: tf.Tensor) -> tf.Tensor:
        (found,) = tf.graph_util.import_graph_def(graph, {source.name: pixels}, [result.name])
        return found

    return source.shape[1], answer.get_concrete_function()


def _rewritten_in_bfloat16(graph: tf.compat.v1.GraphDef, output: str) -> tf.compat.v1.GraphDef:
    """Lets oneDNN compute in bfloat16: half the time on AMD's CPUs with AVX512-BF16.

    TensorFlow's optimizer does so by an option, but not in functions that tf.data maps.
    """
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    with tf.Graph().as_default() as imported:
        tf.graph_util.import_graph_def(graph, name="")
        described = tf.compat.v1.train.export_meta_graph(graph=imported)
    # What the optimizer must keep.
    described.collection_def["train_op"].node_list.value.append(output)
    return tf_optimizer.OptimizeGraph(config, described)
