"""Asking a server for its class names.

TensorFlow Serving has no call for a model's assets, but the signature `classify` names its classes
in the order of `probabilities`. It is asked once for each version, about one blank image.
"""

import cv2
import numpy as np

from clients.webcam.backends.messages import Example
from pipeline.features import IMAGE_KEY

SIGNATURE = "classify"


def blank_example(size: int) -> bytes:
    """Returns a serialized tf.Example of a grey image."""
    _, encoded = cv2.imencode(".png", np.full((size, size), 128, np.uint8))
    example = Example()
    example.features.feature[IMAGE_KEY].bytes_list.value.append(encoded.tobytes())
    return bytes(example.SerializeToString())
