"""What every way of training starts from: the batches, and the compiled network."""

from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.utils import io_utils

from pipeline import distillation, input_data, model, precision
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.kept_batches import KeptBatches
from pipeline.signatures import pixel_moments


@dataclass(frozen=True)
class TrainingData:
    """The train split as a training takes it.

    Attributes:
      source: Reads examples of any split through the transform graph.
      transform_output: The transform graph.
      train: Endless batches of the training part, as `input_data.training_batches` gives them.
      validate: Batches of the validation part, as `input_data.evaluation_batches` gives them.
      steps: Steps in one pass over the training part.
      class_weights: Weight of the loss by class index, or none if all weigh the same.
    """

    source: input_data.ExampleSource
    transform_output: tft.TFTransformOutput
    train: tf.data.Dataset
    validate: tf.data.Dataset
    steps: int
    class_weights: dict[int, float] | None

    @property
    def labels(self) -> list[str]:
        """Class names in the order of the logits."""
        return self.source.labels


def configure(settings: TrainSettings) -> None:
    """Seeds Python, NumPy and TensorFlow, and sets the precision that layers are built with."""
    keras.utils.set_random_seed(settings.seed)
    found = precision.of_network(settings)
    keras.mixed_precision.set_global_policy(found if found == "float32" else f"mixed_{found}")


def read_data(
    fn_args: FnArgs, settings: TrainSettings, epochs_done: int = 0, taught: Path | None = None
) -> TrainingData:
    """Reads the train split in its two parts; the eval split is left alone.

    Args:
      fn_args: From TFX's Trainer or Tuner.
      settings: `validation_fraction`, `class_weights`, and what `input_data` and `distillation`
        take are used.
      epochs_done: Epochs of this training that a killed process ran.
      taught: Where `taught_epochs` keep a teacher's answers; none asks it at every step.

    Raises:
      UserError: One of the two parts is empty, or the teacher does not fit the data.
    """
    schema = io_utils.parse_pbtxt_file(fn_args.schema_path, schema_pb2.Schema())
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    source = input_data.ExampleSource(fn_args.data_accessor, schema, transform_output)
    training = input_data.training_part(settings.validation_fraction)
    validation = input_data.validation_part(settings.validation_fraction)
    counts = source.class_counts(fn_args.train_files, training)
    held_out = source.class_counts(fn_args.train_files, validation)
    if not sum(counts) or not sum(held_out):
        raise UserError(
            f"The train split is too small for train.validation_fraction, "
            f"{settings.validation_fraction}: {sum(counts)} images are left to train on and "
            f"{sum(held_out)} to validate on; give more images."
        )
    steps = max(sum(counts) // settings.batch_size, 1)
    size = fn_args.custom_config["size"]
    teach = distillation.teaching(settings, source.labels, size, transform_output)
    small = max(settings.small_epochs - epochs_done, 0) * steps

    def batches_of(settings: TrainSettings) -> tf.data.Dataset:
        examples = source.read(fn_args.train_files, training)
        return input_data.training_batches(examples, sum(counts), settings, teach, small)

    if teach is None or taught is None or not settings.taught_epochs:
        train = batches_of(settings)
    else:
        moments = pixel_moments(transform_output.transform_features_layer(), size)
        kept = KeptBatches(taught, settings, *moments)
        kept.write(batches_of, steps)
        train = kept.read(sum(counts), small)
    return TrainingData(
        source=source,
        transform_output=transform_output,
        train=train,
        validate=input_data.evaluation_batches(
            source.read(fn_args.train_files, validation), settings
        ),
        steps=steps,
        class_weights=_class_weights(counts) if settings.class_weights else None,
    )


def compiled_network(settings: TrainSettings, size: int, classes: int, steps: int) -> keras.Model:
    """Builds and compiles the network for the devices that there are.

    Args:
      settings: What `model` takes, `small_first`, `label_smoothing` and `jit_compile` are used.
      size: Height and width of the image, in pixels.
      classes: Number of logits.
      steps: Steps in one pass over the train images, which schedules go by.
    """
    strategy = _strategy()
    with strategy.scope():
        network = model.build_model(settings, None if settings.small_first else size, classes)
        network.compile(
            optimizer=model.build_optimizer(settings, steps),
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=settings.label_smoothing
            ),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            # XLA does not compile across replicas.
            jit_compile=settings.jit_compile and strategy.num_replicas_in_sync == 1,
        )
    return network


def _strategy() -> tf.distribute.Strategy:
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _class_weights(counts: list[int]) -> dict[int, float]:
    """Inverse shares, so that every class weighs the same and the mean weight is 1."""
    total = sum(counts)
    return {index: total / (len(counts) * max(count, 1)) for index, count in enumerate(counts)}
