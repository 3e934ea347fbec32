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

from pipeline import precision, teacher_answers
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.input_data import Teach
from pipeline.preprocessing import denormalize
from pipeline.signatures import pixel_moments

_LEAST_PROBABILITY = 1e-30


def teaching(
    settings: TrainSettings,
    labels: list[str],
    size: int,
    transform_output: tft.TFTransformOutput,
) -> Teach | None:
    """Makes the function that blends a teacher's probabilities into labels.

    Args:
      settings: `teacher`, as `teacher.with_found_teacher` gives it, `distillation_weight`,
        `distillation_temperature`, `label_smoothing`, and what `precision` takes are used.
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
    teacher = teacher_answers.load(
        str(REPOSITORY / settings.teacher),
        labels,
        size,
        in_bfloat16=precision.of_cpu(settings) == "bfloat16",
    )
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
