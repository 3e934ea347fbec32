"""Measures the detectors of the webcam client: recall, false alarms, framing, time.

    python -m benchmarks.webcam_detectors [--data FER2013.zip] [--count 150]

Faces of the archive (else drawn ones) are laid, at several sizes, into photographs without faces;
the whole face image is the truth. A face counts as found when a box's centre lies in it and its
side is 0.5 to 1.5 of the image's; any other box is a false alarm. Scale and lift are what the
detector's own boxes would still have to be changed by to match the truth: a median scale of 1 and
lift of 0 mean crops framed as in training.
"""

import argparse
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from clients.webcam.detection import Detector, make_detector
from clients.webcam.geometry import Box, Image
from pipeline.drawn_sample import EXPRESSIONS, draw_face

_SIDES = (60, 80, 100, 130, 160, 240, 360)
_HEIGHT, _WIDTH = 480, 640


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="FER2013's archive.zip")
    parser.add_argument("--count", type=int, default=150, help="faces of each size")
    parser.add_argument("--detectors", nargs="+", default=["haar", "blazeface"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    faces = (
        _archive_faces(options.data, options.count, rng)
        if options.data
        else [draw_face(EXPRESSIONS[i % 7], rng, 192) for i in range(options.count)]
    )
    backgrounds = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (_WIDTH, _HEIGHT))
        for image in (data.coffee(), data.chelsea(), data.rocket(), data.immunohistochemistry())
    ]
    print("| Detector | Face, pixels | Found | False alarms a frame | Scale | Lift | ms a frame |")
    print("|---|---|---|---|---|---|---|")
    for name in options.detectors:
        detector = make_detector(name)
        for side in _SIDES:
            print(_row(detector, faces, backgrounds, side), flush=True)


def _row(detector: Detector, faces: list[np.ndarray], backgrounds: list[Image], side: int) -> str:
    rng = np.random.default_rng(1)
    found, alarms, scales, lifts, seconds = 0, 0, [], [], []
    for index, face in enumerate(faces):
        left, top = (
            int(rng.integers(0, _WIDTH - side + 1)),
            int(rng.integers(0, _HEIGHT - side + 1)),
        )
        scene = backgrounds[index % len(backgrounds)].copy()
        grey = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        scene[top : top + side, left : left + side] = grey[:, :, np.newaxis]
        began = time.perf_counter()
        boxes = detector.detect(scene)
        seconds.append(time.perf_counter() - began)
        hits = [box for box in boxes if _is(box, left, top, side)]
        found += bool(hits)
        alarms += len(boxes) - bool(hits)
        if hits:
            scales.append(side / hits[0].width)
            lifts.append((hits[0].centre[1] - top - side / 2) / hits[0].width)
    scale, lift = (np.median(scales), np.median(lifts)) if scales else (np.nan, np.nan)
    return (
        f"| {detector.name} | {side} | {found / len(faces):.1%} | {alarms / len(faces):.2f} "
        f"| {scale:.2f} | {lift:+.2f} | {1000 * np.median(seconds):.1f} |"
    )


def _is(box: Box, left: int, top: int, side: int) -> bool:
    x, y = box.centre
    inside = left < x < left + side and top < y < top + side
    return bool(inside and 0.5 < box.width / side < 1.5)


def _archive_faces(path: Path, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = [names[index] for index in rng.choice(len(names), count, replace=False)]
        encoded = [np.frombuffer(archive.read(name), np.uint8) for name in chosen]
    images = [cv2.imdecode(one, cv2.IMREAD_GRAYSCALE) for one in encoded]
    return [image for image in images if image is not None]


if __name__ == "__main__":
    main()
