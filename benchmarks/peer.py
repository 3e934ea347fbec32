"""One peer of `benchmarks.peers` in a process of its own; runs in the peer's own environment.

    python -m benchmarks.peer KIND PATH

Answers lines of JSON on stdin with lines of JSON on stdout. KIND names a class below, PATH a model
where the class takes one. Every peer gets encoded images and preprocesses them as its own package
does; nothing here imports more than that takes.
"""

import importlib.util
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Peer(Protocol):
    """What is measured.

    Attributes:
      classes: The archive's class names in the order of the probabilities.
      files: What the model needs on disk; code does not count.
      version: Of the package, or empty.
    """

    classes: tuple[str, ...]
    files: list[Path]
    version: str

    def classify(self, encoded: bytes) -> np.ndarray:
        """float[c] probabilities of an encoded image."""


class Fer:
    """`fer`: a mini-Xception, trained on FER2013."""

    classes: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

    def __init__(self, path: str):
        del path
        import cv2  # noqa: PLC0415
        from fer.fer import FER  # noqa: PLC0415

        cv2.setNumThreads(1)
        self._cv2 = cv2
        # The images are faces already: no margin is to be added around them.
        self._detector = FER(offsets=(0, 0))
        self.files = [_package("fer") / "data/emotion_model_quantized.tflite"]
        self.version = metadata.version("fer")

    def classify(self, encoded: bytes) -> np.ndarray:
        """Its scores are rounded to hundredths by the package."""
        image = _decode(encoded, self._cv2.IMREAD_COLOR)
        whole = [(0, 0, image.shape[1], image.shape[0])]
        [found] = self._detector.detect_emotions(image, face_rectangles=whole)
        return np.array([found["emotions"][name] for name in self.classes])


class FacexPackage:
    """`facex`: a 200x200 network."""

    _NAMES = ("anger", "disgust", "fear", "happy", "neutral", "sadness", "surprised")
    classes: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

    def __init__(self, path: str):
        del path
        import cv2  # noqa: PLC0415
        from facex.core import EmotionClassifier  # noqa: PLC0415

        cv2.setNumThreads(1)
        self._cv2 = cv2
        self.files = [_package("facex") / "assets/model_optimized.tflite"]
        self.version = metadata.version("facex")
        self._classifier = EmotionClassifier(str(self.files[0]))

    def classify(self, encoded: bytes) -> np.ndarray:
        """The package classifies the grey crop of a face."""
        image = _decode(encoded, self._cv2.IMREAD_GRAYSCALE)
        scores = self._classifier.detect_emotion(image)
        return np.array([scores[name] for name in self._NAMES])


class Facemood:
    """`facemood`: a 170x170 network; its one function reads a camera, so its steps are taken."""

    classes: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

    def __init__(self, path: str):
        del path
        import tensorflow as tf  # noqa: PLC0415

        _one_thread(tf)
        self.files = [_package("facemood") / "model__version1.0.0__.h5"]
        self.version = metadata.version("facemood")
        model = tf.keras.models.load_model(str(self.files[0]), compile=False)
        self._model = tf.function(lambda images: model(images, training=False))
        self._constant = tf.constant

    def classify(self, encoded: bytes) -> np.ndarray:
        """As its `process_image`, without the colour, which the images have not."""
        import io  # noqa: PLC0415

        from PIL import Image  # noqa: PLC0415

        image = Image.open(io.BytesIO(encoded)).convert("RGB").resize((170, 170))
        pixels = np.asarray(image, np.float32)[None] / 255.0
        return self._model(self._constant(pixels)).numpy()[0]


class TFLite:
    """A TFLite model of this project, by LiteRT."""

    version = ""

    def __init__(self, path: str):
        import cv2  # noqa: PLC0415

        from clients.webcam.backends.tflite import TFLiteModel  # noqa: PLC0415

        cv2.setNumThreads(1)
        self._cv2 = cv2
        self.files = [Path(path)]
        self._model = TFLiteModel(Path(path))
        self.classes = self._model.labels

    def classify(self, encoded: bytes) -> np.ndarray:
        """Decoded as the webcam client does."""
        image = _decode(encoded, self._cv2.IMREAD_GRAYSCALE)
        return self._model.predict([image]).probabilities[0]


class SavedModel:
    """A SavedModel of this project, by its signature `serving_default`."""

    version = ""

    def __init__(self, path: str):
        import tensorflow as tf  # noqa: PLC0415

        _one_thread(tf)
        folder = Path(path)
        self.classes = tuple((folder / "assets/labels.txt").read_text().splitlines())
        self.files = [folder / "saved_model.pb", *(folder / "variables").iterdir()]
        self._loaded = tf.saved_model.load(path)
        self._constant = tf.constant

    def classify(self, encoded: bytes) -> np.ndarray:
        """The model decodes by itself."""
        answer = self._loaded.signatures["serving_default"](image_bytes=self._constant([encoded]))
        return answer["probabilities"].numpy()[0]


KINDS: dict[str, Callable[[str], Peer]] = {
    "fer": Fer,
    "facex": FacexPackage,
    "facemood": Facemood,
    "tflite": TFLite,
    "saved_model": SavedModel,
}
PACKAGES = ("fer", "facex", "facemood")


def main() -> None:
    """Serves requests until stdin ends.

    `{"images": FILE}` takes images of `write_images` and answers their number;
    `{"predict": FILE}` writes their probabilities, float[n, c], with NumPy;
    `{"first": i, "count": n}` answers the seconds of each of n images from the i-th on;
    `{}` answers the largest resident set so far, in bytes.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    # What packages print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    kind, path = sys.argv[1:3]
    if kind in PACKAGES and importlib.util.find_spec(kind) is None:
        answer({"missing": kind})
        return
    peer = KINDS[kind](path)
    answer(
        {
            "classes": peer.classes,
            "bytes": sum(file.stat().st_size for file in peer.files),
            "files": [str(file) for file in peer.files],
            "version": peer.version,
        }
    )
    images: list[bytes] = []
    for line in sys.stdin:
        request = json.loads(line)
        if "images" in request:
            images = read_images(Path(request["images"]))
            answer(len(images))
        elif "predict" in request:
            np.save(request["predict"], np.stack([peer.classify(one) for one in images]))
            answer(True)
        elif "count" in request:
            answer(_times(peer, images, request["first"], request["count"]))
        else:
            unit = 1 if platform.system() == "Darwin" else 1024
            answer(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def write_images(path: Path, images: list[bytes]) -> None:
    """Writes encoded images for `read_images`."""
    lengths = np.array([len(image) for image in images])
    np.savez(path, lengths=lengths, content=np.frombuffer(b"".join(images), np.uint8))


def read_images(path: Path) -> list[bytes]:
    """Reads encoded images."""
    with np.load(path, allow_pickle=False) as stored:
        content, ends = stored["content"].tobytes(), np.cumsum(stored["lengths"])
    return [content[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def _times(peer: Peer, images: list[bytes], first: int, count: int) -> list[float]:
    seconds = []
    for number in range(first, first + count):
        start = time.perf_counter()
        peer.classify(images[number % len(images)])
        seconds.append(time.perf_counter() - start)
    return seconds


def _decode(encoded: bytes, flags: int) -> np.ndarray:
    import cv2  # noqa: PLC0415

    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    if image is None:
        raise ValueError("OpenCV cannot decode an image of the archive")
    return image


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent


def _one_thread(tf: Any) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    main()
