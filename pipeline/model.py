"""The network: a plain Keras CNN over normalized grey images."""

import math
from typing import Any

import keras

from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.normalization import FusedBatchNormalization

LOGITS_LAYER = "logits"

_SHARE_OF_FIRST_STEP = 0.05


def build_model(settings: TrainSettings, size: int | None, classes: int) -> keras.Model:
    """Builds the uncompiled CNN.

    Each stage is `convolutions` times Conv2D, BatchNormalization and activation, then
    `residual_blocks` times two of them around a shortcut (He et al., 2016, "Deep Residual Learning
    for Image Recognition"). Max-pooling halves the side between stages; at the end come global
    average pooling, dropout and the logits.

    Args:
      settings: `filters`, `stem_stride`, `convolutions`, `residual_blocks`, `activation`,
        `squeeze_excite`, `dropout` and `l2` are used.
      size: Height and width of the image, in pixels; none leaves them open.
      classes: Number of logits.

    Returns:
      A model from float32[n, size, size, 1], mean 0 and variance 1, to float32 logits[n, classes].
    """
    image = keras.Input((size, size, 1), name="image")
    x = image
    for stage, filters in enumerate(settings.filters):
        if stage > 0:
            x = keras.layers.MaxPooling2D(name=f"stage{stage}_pool")(x)
        for index in range(settings.convolutions):
            x = _convolution(
                x,
                filters,
                stride=settings.stem_stride if stage == index == 0 else 1,
                settings=settings,
                name=f"stage{stage}_conv{index}",
            )
        for block in range(settings.blocks[stage]):
            x = _residual_block(x, filters, settings, name=f"stage{stage}_block{block}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(settings.dropout, seed=settings.seed, name="dropout")(x)
    # float32 under mixed precision too: a float16 softmax underflows.
    logits = keras.layers.Dense(classes, dtype="float32", name=LOGITS_LAYER)(x)
    return keras.Model(image, logits, name="expression_cnn")


def _convolution(
    x: keras.KerasTensor, filters: int, stride: int, settings: TrainSettings, name: str
) -> keras.KerasTensor:
    x = _normalized_convolution(x, filters, stride, settings, name)
    return keras.layers.Activation(settings.activation, name=f"{name}_act")(x)


def _residual_block(
    x: keras.KerasTensor, filters: int, settings: TrainSettings, name: str
) -> keras.KerasTensor:
    change = _convolution(x, filters, 1, settings, name=f"{name}_conv0")
    change = _normalized_convolution(change, filters, 1, settings, name=f"{name}_conv1")
    if settings.squeeze_excite:
        change = _gated(change, max(filters // settings.squeeze_excite, 1), name=f"{name}_gate")
    x = keras.layers.Add(name=f"{name}_add")([x, change])
    return keras.layers.Activation(settings.activation, name=f"{name}_act")(x)


def _gated(x: keras.KerasTensor, squeezed: int, name: str) -> keras.KerasTensor:
    """Weighs each channel by what the means of all tell.

    Hu et al., 2018, "Squeeze-and-Excitation Networks".
    """
    # 1x1 convolutions and not Dense layers: int8 scales for each channel in TFLite.
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    gate = keras.layers.Conv2D(squeezed, 1, activation="relu", name=f"{name}_squeeze")(gate)
    gate = keras.layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_excite")(gate)
    return keras.layers.Multiply(name=f"{name}_weigh")([x, gate])


def _normalized_convolution(
    x: keras.KerasTensor, filters: int, stride: int, settings: TrainSettings, name: str
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        filters,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(),
        kernel_regularizer=keras.regularizers.L2(settings.l2) if settings.l2 else None,
        name=name,
    )(x)
    # Keras' default momentum of 0.99 lags behind by more than a small data set's first epochs.
    return FusedBatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def averaged(
    networks: list[keras.Model], *, flip: bool, zoom: float = 0.0, temperature: float = 1.0
) -> keras.Model:
    """The mean of the logits of several networks and views, as a model of the same shapes.

    Lakshminarayanan et al., 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles", whose mean is that of the probabilities; that of the logits leaves a temperature in
    their last layers linear.

    Args:
      networks: At least one, as `build_model` gives them.
      flip: Each of them is asked about the mirror images too.
      zoom: Each of them is asked about the image without this share of its side too, and about the
        image with as much again around it; zero asks about neither.
      temperature: What the mean is divided by.
    """
    image = keras.Input(networks[0].input_shape[1:], name="image")
    views = [image, *(_zoomed(image, zoom) if zoom else [])]
    views += [keras.ops.flip(view, axis=2) for view in views] if flip else []
    if len(networks) == len(views) == temperature == 1:
        return networks[0]
    # As one batch: asked twice, a network would stand twice in the graph and in TFLite's file.
    batch = keras.ops.concatenate(views, axis=0)
    # Names are unique in a model, and these networks' are all the same.
    towers = [_renamed(network, f"member{index}") for index, network in enumerate(networks)]
    logits = keras.layers.Average(name="mean_logits")([tower(batch) for tower in towers])
    by_view = keras.ops.reshape(logits, (len(views), -1, logits.shape[-1]))
    mean = keras.ops.mean(by_view, axis=0)
    if temperature != 1.0:
        mean = keras.layers.Rescaling(1.0 / temperature, name="temperature")(mean)
    return keras.Model(image, mean, name="averaged")


def _zoomed(image: keras.KerasTensor, share: float) -> list[keras.KerasTensor]:
    """The image nearer and farther, with its border mirrored, in its own size."""
    side = image.shape[1]
    border = max(round(side * share / 2.0), 1)
    near = image[:, border:-border, border:-border]
    # Reflected and not repeated edges: those are the ones that TFLite has.
    far = keras.ops.pad(image, [(0, 0), (border, border), (border, border), (0, 0)], "symmetric")
    return [keras.ops.image.resize(view, (side, side)) for view in (near, far)]


def _renamed(network: keras.Model, name: str) -> keras.Model:
    """The same layers and weights under another name."""
    return keras.Model(network.input, network.output, name=name)


def build_optimizer(settings: TrainSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer with its learning-rate schedule.

    Args:
      settings: `optimizer`, `learning_rate`, `final_rate`, `weight_decay`, `schedule`,
        `warmup_epochs`, `epochs` and `weight_average` are used.
      steps_per_epoch: Steps in one pass over the train images.

    Raises:
      UserError: The training is too short for the mean of its weights.
    """
    rate = _learning_rate(settings, steps_per_epoch)
    averaging: dict[str, Any] = {}
    if settings.weight_average:
        _check_share_of_first_step(settings, settings.fewest_epochs * steps_per_epoch)
        averaging = {"use_ema": True, "ema_momentum": settings.weight_average}
    match settings.optimizer:
        case "adam":
            return keras.optimizers.Adam(rate, **averaging)
        case "adamw":
            return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, **averaging)
        case "sgd":
            return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **averaging)


def _check_share_of_first_step(settings: TrainSettings, steps: int) -> None:
    """Keras' running mean starts at the weights after the first step, which must be forgotten."""
    if settings.weight_average ** (steps - 1) > _SHARE_OF_FIRST_STEP:
        most = math.floor(1e3 * _SHARE_OF_FIRST_STEP ** (1.0 / max(steps - 1, 1))) / 1e3
        raise UserError(
            f"train.weight_average, {settings.weight_average:g}, reaches back to the first of the "
            f"{steps} steps after which this training may end; set it to {most:g} or less, or train"
            " longer, by train.epochs and train.early_stopping_patience (0 is without)."
        )


def _learning_rate(
    settings: TrainSettings, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    total = settings.epochs * steps_per_epoch
    match settings.schedule:
        case "cosine":
            warmup = min(int(settings.warmup_epochs * steps_per_epoch), total - 1)
            return (
                keras.optimizers.schedules.CosineDecay(
                    initial_learning_rate=settings.learning_rate / max(warmup, 1),
                    decay_steps=total - warmup,
                    warmup_target=settings.learning_rate if warmup else None,
                    alpha=settings.final_rate,
                    warmup_steps=warmup,
                )
                if warmup
                else keras.optimizers.schedules.CosineDecay(
                    settings.learning_rate, total, settings.final_rate
                )
            )
        case "exponential":
            # To a hundredth of the peak at the last step.
            return keras.optimizers.schedules.ExponentialDecay(settings.learning_rate, total, 0.01)
        case "constant" | "plateau":
            return settings.learning_rate
