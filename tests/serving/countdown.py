"""A SavedModel that takes as many steps as it is told, and never ends when told infinity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.serving.clients import image_request
from tests.serving.conftest import MODEL


class Countdown(tf.Module):
    """Counts its input down to 0."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        (value,) = tf.while_loop(
            lambda y: tf.reduce_any(y > 0.0), lambda y: (tf.maximum(y - 1.0, 0.0),), [x]
        )
        return {"y": value}


def export(root: Path) -> Path:
    """Writes version 1 under `root`."""
    model = Countdown()
    tf.saved_model.save(model, str(root / "1"), signatures={"serving_default": model.serve})
    return root


def request(steps: float) -> Any:
    """A PredictRequest that takes this many steps.

    Of two instances, since a run of one alone is not stopped at its deadline.
    """
    message = image_request(MODEL)
    del message.inputs["image_bytes"]
    message.inputs["x"].CopyFrom(tf.make_tensor_proto([steps] * 2, tf.float32))
    return message
