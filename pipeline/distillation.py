"""Lets a network learn from a larger one's probabilities, which tell more than a label does.

Hinton et al., 2015, "Distilling the Knowledge in a Neural Network". The teacher sees the very
images that the student sees, augmented and mixed, and its probabilities are blended into their
labels, so that compiling, both loops and all losses stay as they are. With a temperature of 1 that
is Hinton's loss. With a higher one, the student's own logits become those at that temperature;
Hinton divides them for the loss, and the temperature that is fitted after training
(`train.calibrate`) undoes it as well.
"""

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.grappler import tf_optimizer
from tensorflow.types.experimental import ConcreteFunction

from components.tflite_converter.conversion import freeze_pixels, with_float_pixels
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.input_data import Teach
from pipeline.preprocessing import denormalize
from pipeline.signatures import pixel_moments, read_labels

_LEAST_PROBABILITY = 1e-30


def teaching(
    settings: TrainSettings,
    labels: list[str],
    size: int,
    transform_output: tft.TFTransformOutput,
) -> Teach | None:
    """Makes the function that blends a teacher's probabilities into labels.

    Args:
      settings: `teacher`, a version's folder, `distillation_weight`, `distillation_temperature`,
        `label_smoothing` and `precision` are used.
      labels: Class names in the order of the student's logits.
      size: Side of the student's image in pixels.
      transform_output: What the student's images are normalized with.

    Returns:
      From float32[n, size, size, 1], as the student takes them, and float32[n, classes] to blended
      labels of the same shape; none if there is no teacher.

    Raises:
      UserError: The teacher has other classes, or takes images of another size.
    """
    if settings.teacher is None:
        return None
    teacher = _load(settings.teacher, labels, size, in_bfloat16=settings.precision == "bfloat16")
    mean, scale = pixel_moments(transform_output.transform_features_layer(), size)

    def teach(images: tf.Tensor, one_hot: tf.Tensor) -> tf.Tensor:
        # The teacher normalizes by the moments of its own data.
        probabilities = teacher(denormalize(images, mean, scale))
        return blend(
            one_hot,
            soften(probabilities, settings.distillation_temperature),
            settings.distillation_weight,
            settings.label_smoothing,
        )

    return teach


def soften(probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """The softmax of the logits behind float32[n, c] probabilities, divided by a temperature."""
    # Logits are the logarithms, up to a constant that the softmax takes out again.
    logits = tf.math.log(tf.maximum(probabilities, _LEAST_PROBABILITY))
    return tf.nn.softmax(logits / temperature)


def blend(
    labels: tf.Tensor, probabilities: tf.Tensor, weight: float, label_smoothing: float
) -> tf.Tensor:
    """Targets that the loss, which smooths all of a target, makes of smoothed labels alone.

    Args:
      labels: float32[n, c], one-hot or mixed.
      probabilities: float32[n, c] of the teacher.
      weight: Share of the teacher, in [0, 1].
      label_smoothing: Of the loss, in [0, 1).

    Returns:
      float32[n, c]; rows sum to 1. Smoothed, they are `weight` times the probabilities, as they
      are, and `1 - weight` times the smoothed labels; before that, some may be below 0.
    """
    classes = labels.shape[-1]
    unsmoothed = (probabilities - label_smoothing / classes) / (1.0 - label_smoothing)
    return (1.0 - weight) * labels + weight * unsmoothed


def _load(folder: str, labels: list[str], size: int, in_bfloat16: bool) -> ConcreteFunction:
    """Loads a teacher: float32[n, size, size, 1] grey values to float32[n, c] probabilities."""
    known = read_labels(folder)
    if known != labels:
        raise UserError(
            f"The teacher {folder} knows the classes {', '.join(known)}, the data have "
            f"{', '.join(labels)}; choose a teacher of the same classes."
        )
    frozen = freeze_pixels(folder)
    (source,), (result,) = frozen.inputs, frozen.outputs
    side = source.shape[1]
    if side != size:
        raise UserError(
            f"The teacher {folder} takes images of {side} pixels, image.size is {size}; choose a "
            "teacher of the same size."
        )
    graph = with_float_pixels(frozen)
    if in_bfloat16:
        graph = _rewritten_in_bfloat16(graph, result.name)

    @tf.function(input_signature=[tf.TensorSpec(source.shape, tf.float32)])
    def probabilities(pixels: tf.Tensor) -> tf.Tensor:
        (found,) = tf.graph_util.import_graph_def(graph, {source.name: pixels}, [result.name])
        return found

    return probabilities.get_concrete_function()


def _rewritten_in_bfloat16(graph: tf.compat.v1.GraphDef, output: str) -> tf.compat.v1.GraphDef:
    """Lets oneDNN compute in bfloat16: half the time on CPUs with AVX512-BF16.

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
