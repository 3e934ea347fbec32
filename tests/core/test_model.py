"""The network: shapes, shortcuts, the flip average, and the temperature in its last layer."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from pipeline import temperature
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.model import LOGITS_LAYER, averaged, build_model, build_optimizer

_SIDE = 24
_CLASSES = 4


def _network(**settings: object) -> keras.Model:
    keras.utils.set_random_seed(3)
    return build_model(
        TrainSettings.model_validate({"filters": [8, 12], **settings}), _SIDE, _CLASSES
    )


def _images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, _SIDE, _SIDE, 1)).astype(np.float32)


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_images_become_one_logit_for_each_class(blocks: int) -> None:
    logits = _network(residual_blocks=blocks)(_images()).numpy()
    assert logits.shape == (6, _CLASSES)
    assert logits.dtype == np.float32


def test_a_residual_block_is_two_convolutions_around_a_shortcut() -> None:
    def count(network: keras.Model, kind: type) -> int:
        return sum(isinstance(layer, kind) for layer in network.layers)

    plain, residual = _network(), _network(residual_blocks=2)
    stages = 2
    convolutions = count(residual, keras.layers.Conv2D) - count(plain, keras.layers.Conv2D)
    assert convolutions == stages * 2 * 2
    assert count(residual, keras.layers.Add) == stages * 2


def test_squeeze_excite_gates_the_channels_of_each_residual_block() -> None:
    network, images = _network(residual_blocks=1, squeeze_excite=4), _images()
    gate = network.get_layer("stage1_block0_gate_excite")
    weighed = network.get_layer("stage1_block0_gate_weigh")
    probe = keras.Model(network.input, [weighed.input[0], gate.output, weighed.output])
    change, shares, product = (value.numpy() for value in probe(images))
    assert network.get_layer("stage1_block0_gate_squeeze").filters == 12 // 4
    assert shares.shape == (6, 1, 1, 12)
    assert ((shares > 0.0) & (shares < 1.0)).all()
    assert np.allclose(product, change * shares, atol=1e-6)


def test_a_list_gives_each_stage_its_number_of_residual_blocks() -> None:
    names = {layer.name for layer in _network(residual_blocks=[0, 2]).layers}
    assert {name for name in names if name.endswith("_add")} == {
        "stage1_block0_add",
        "stage1_block1_add",
    }


@pytest.mark.parametrize("zoom", [0.0, 0.2])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("members", [1, 3])
def test_the_average_is_the_mean_of_the_logits_of_all_members_and_views(
    members: int, flip: bool, zoom: float
) -> None:
    networks, images = [_network() for _ in range(members)], _images()
    for index, network in enumerate(networks):
        network.set_weights([value + 0.01 * index for value in network.get_weights()])
    views = [images]
    if zoom:
        border = 2  # A tenth of the side on either hand.
        wider = np.pad(images, [(0, 0), (border, border), (border, border), (0, 0)], "symmetric")
        nearer = images[:, border:-border, border:-border]
        views += [tf.image.resize(view, [_SIDE, _SIDE]).numpy() for view in (wider, nearer)]
    if flip:
        views += [view[:, :, ::-1] for view in views]
    expected = np.mean([network(view) for network in networks for view in views], axis=0)
    found = averaged(networks, flip=flip, zoom=zoom)(images).numpy()
    assert np.allclose(found, expected, atol=1e-6)


def test_the_flip_average_is_the_same_for_the_mirror_image() -> None:
    network, images = averaged([_network()], flip=True), _images()
    assert np.allclose(network(images[:, :, ::-1]), network(images), atol=1e-6)


def _linear() -> keras.Model:
    """Logits that differ from image to image enough for a temperature to matter."""
    keras.utils.set_random_seed(3)
    image = keras.Input((_SIDE, _SIDE, 1))
    spread = keras.initializers.RandomNormal(stddev=2.0 / _SIDE)
    layer = keras.layers.Dense(_CLASSES, kernel_initializer=spread, name=LOGITS_LAYER)
    return keras.Model(image, layer(keras.layers.Flatten()(image)))


def _labelled(network: keras.Model, true_temperature: float, count: int = 4000) -> tf.data.Dataset:
    """Images labelled as the network would be right about them at a temperature."""
    images = _images(count)
    shares = special.softmax(network.predict(images, verbose=0) / true_temperature, axis=1)
    random = np.random.default_rng(7)
    labels = [random.choice(_CLASSES, p=share / share.sum()) for share in shares.astype(float)]
    one_hot = np.eye(_CLASSES, dtype=np.float32)[labels]
    return tf.data.Dataset.from_tensor_slices((images, one_hot)).batch(500)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.0])
def test_the_temperature_is_found_that_the_labels_were_drawn_at(true_temperature: float) -> None:
    network = _linear()
    found = temperature.fit(network, _labelled(network, true_temperature))
    assert found == pytest.approx(true_temperature, rel=0.1)


def test_a_network_without_an_error_is_as_sure_as_that_many_examples_allow() -> None:
    network, images = _linear(), _images(200)
    logits = network.predict(images, verbose=0).astype(float)
    labels = np.eye(_CLASSES, dtype=np.float32)[logits.argmax(axis=1)]
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(100)
    found = temperature.fit(network, batches)
    confidence = special.softmax(logits / found, axis=1).max(axis=1)
    assert 0.97 < confidence.mean() < 0.995


@pytest.mark.parametrize("flip", [False, True])
def test_folding_divides_the_logits_and_changes_no_prediction(flip: bool) -> None:
    network, images = _network(), _images()
    exported = averaged([network], flip=flip)
    before = exported(images).numpy()
    temperature.fold(network, 1.7)
    after = exported(images).numpy()
    assert np.allclose(after, before / 1.7, atol=1e-6)
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))


@pytest.mark.parametrize("flip", [False, True])
def test_a_mean_is_divided_by_its_temperature(flip: bool) -> None:
    network, images = _network(), _images()
    divided = averaged([network], flip=flip, temperature=1.7)
    expected = averaged([network], flip=flip)(images).numpy() / 1.7
    np.testing.assert_allclose(divided(images), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("patience", "small_first", "refused"), [(0, 0.0, False), (3, 0.0, True), (3, 0.5, False)]
)
def test_a_mean_of_weights_must_forget_the_first_ones_before_a_training_may_end(
    patience: int, small_first: float, refused: bool
) -> None:
    settings = TrainSettings(
        weight_average=0.95,
        epochs=20,
        early_stopping_patience=patience,
        small_first=small_first,
    )
    with pytest.raises(UserError, match="40 steps") if refused else nullcontext():
        build_optimizer(settings, steps_per_epoch=10)


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_cosine_falls_to_a_share_of_the_learning_rate(warmup: float) -> None:
    settings = TrainSettings(
        learning_rate=0.1, final_rate=0.2, warmup_epochs=warmup, epochs=4, schedule="cosine"
    )
    rate = build_optimizer(settings, steps_per_epoch=5)._learning_rate
    assert float(rate(5 if warmup else 0)) == pytest.approx(0.1)
    assert float(rate(20)) == pytest.approx(0.02)
