"""tf.data input of the Trainer: examples, through the transform graph, shuffled and augmented."""

from collections.abc import Callable, Mapping

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.trainer.fn_args_utils import DataAccessor
from tfx_bsl.public.tfxio import TensorFlowDatasetOptions

from pipeline.augmentation import augment, mixup
from pipeline.config import TrainSettings
from pipeline.features import CONTENT_HASH_KEY, IMAGE_KEY, LABEL_KEY
from pipeline.preprocessing import LABELS_VOCABULARY

_BUCKETS = 10_000
_READ_BATCH = 512

Keep = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]
Batch = tuple[tf.Tensor, tf.Tensor]
Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Batch]
Teach = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class ExampleSource:
    """Examples of a run as the model takes them: normalized images and one-hot labels."""

    def __init__(
        self,
        accessor: DataAccessor,
        schema: schema_pb2.Schema,
        transform_output: tft.TFTransformOutput,
    ):
        self._accessor = accessor
        self._schema = schema
        self._transform_layer = transform_output.transform_features_layer()
        self.labels = [
            name.decode() for name in transform_output.vocabulary_by_name(LABELS_VOCABULARY)
        ]

    def read(self, file_patterns: list[str], keep: Keep | None = None) -> tf.data.Dataset:
        """Reads files once, in their order.

        Args:
          file_patterns: Globs of TFRecord files of tf.Examples.
          keep: Maps a batch of raw features to bool[n], which of them stay; none keeps all.

        Returns:
          Single elements: float32[size, size, 1] and float32[classes], one-hot.
        """

        def transform(raw: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            if keep is not None:
                kept = keep(raw)
                raw = {key: tf.boolean_mask(raw[key], kept) for key in (IMAGE_KEY, LABEL_KEY)}
            features = self._transform_layer({key: raw[key] for key in (IMAGE_KEY, LABEL_KEY)})
            return features[IMAGE_KEY], tf.one_hot(features[LABEL_KEY], len(self.labels))

        return (
            self._raw(file_patterns)
            .map(transform, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .unbatch()
        )

    def class_counts(self, file_patterns: list[str], keep: Keep) -> list[int]:
        """Counts the kept examples of each class without decoding an image."""
        table = {name: index for index, name in enumerate(self.labels)}
        counts = [0] * len(table)
        for raw in self._raw(file_patterns):
            for name in tf.boolean_mask(raw[LABEL_KEY], keep(raw)).numpy().ravel():
                counts[table[name.decode()]] += 1
        return counts

    def _raw(self, file_patterns: list[str]) -> tf.data.Dataset:
        return self._accessor.tf_dataset_factory(
            file_patterns,
            TensorFlowDatasetOptions(batch_size=_READ_BATCH, num_epochs=1, shuffle=False),
            self._schema,
        )


def training_part(validation_fraction: float) -> Keep:
    """Keeps what trains: all but the validation part, split by the hash of an image's content."""
    return lambda raw: tf.logical_not(_is_validation(raw, validation_fraction))


def validation_part(validation_fraction: float) -> Keep:
    """Keeps what checkpoints and early stopping are judged on."""
    return lambda raw: _is_validation(raw, validation_fraction)


def _is_validation(raw: Mapping[str, tf.Tensor], fraction: float) -> tf.Tensor:
    bucket = tf.strings.to_hash_bucket_fast(raw[CONTENT_HASH_KEY][:, 0], _BUCKETS)
    return bucket < round(fraction * _BUCKETS)


def training_batches(
    examples: tf.data.Dataset,
    count: int,
    settings: TrainSettings,
    teach: Teach | None = None,
    small: int = 0,
) -> tf.data.Dataset:
    """Endless, shuffled, augmented batches; the last batch of a pass is filled from the next pass.

    Args:
      examples: Single elements as `ExampleSource.read` gives them.
      count: Number of elements, also the size of the shuffle buffer.
      settings: `batch_size`, `cache`, `seed` and `augment` are used.
      teach: From the augmented, mixed images and their labels to the labels that are trained on;
        see `pipeline.distillation`.
      small: How many batches, the first ones, are of images that are shrunk after all else.

    Returns:
      float32[batch, size, size, 1] and float32[batch, classes]; with `settings.small_first`, the
      element spec leaves the sides open.
    """
    if settings.cache == "memory":
        examples = examples.cache()

    def change(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> Batch:
        images = augment(images, settings.augment, seed)
        mixing = tf.random.fold_in(seed, 1)
        images, labels = mixup(images, labels, settings.augment.mixup, mixing)
        return images, labels if teach is None else teach(images, labels)

    return changed_batches(examples, count, settings, change, small)


def changed_batches(
    examples: tf.data.Dataset, count: int, settings: TrainSettings, change: Change, small: int
) -> tf.data.Dataset:
    """Endless, shuffled batches, each changed by a seed of its own.

    Args:
      examples: Single images and labels.
      count: Size of the shuffle buffer.
      settings: `batch_size`, `seed` and `small_first` are used.
      change: From the images, labels and seed, int64[2], of a batch to what is trained on.
      small: As `training_batches` takes it.
    """
    batches = (
        examples.shuffle(count, seed=settings.seed, reshuffle_each_iteration=True)
        .repeat()
        .batch(settings.batch_size, drop_remainder=True)
    )
    seeds = tf.data.Dataset.random(seed=settings.seed, rerandomize_each_iteration=True).batch(2)
    changed = tf.data.Dataset.zip(batches, seeds).map(
        lambda batch, seed: change(batch[0], batch[1], seed),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    if settings.small_first:
        changed = _shrunk_at_first(changed, small, settings)
    return changed.prefetch(tf.data.AUTOTUNE)


def _shrunk_at_first(
    batches: tf.data.Dataset, small: int, settings: TrainSettings
) -> tf.data.Dataset:
    """Learning from small images first (Tan and Le, 2021, "EfficientNetV2", section 4)."""
    count, side, _, channels = batches.element_spec[0].shape
    shrunk = settings.smallest_size(side)

    def shrink(index: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch
        images = tf.cond(
            index < small,
            lambda: tf.image.resize(images, [shrunk, shrunk], antialias=True),
            lambda: images,
        )
        return tf.ensure_shape(images, [count, None, None, channels]), labels

    return batches.enumerate().map(shrink, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def evaluation_batches(examples: tf.data.Dataset, settings: TrainSettings) -> tf.data.Dataset:
    """Batches in order, not augmented, the last one smaller."""
    batches = examples.batch(settings.batch_size)
    if settings.cache == "memory":
        batches = batches.cache()
    # Each evaluation ends an iterator, and one that autotunes was seen to take 45 seconds for that:
    # TensorFlow waits for a thread of its own that sleeps.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)
