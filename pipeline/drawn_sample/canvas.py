"""Head pose, and a canvas on which points of the face are projected and drawn.

Face coordinates: the origin is between the eyes and the mouth, x to the right of the image, y down,
1 is half the height of the head.  Points lie on an ellipsoid, so that turning the head moves the
middle of the face more than its outline, and the far half shrinks.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]

SUPERSAMPLING = 4
NEUTRAL_RELIEF = 128
_RELIEF_SCALE = 2
_FRACTION_BITS = 4
_DEPTH = 0.6
_PERSPECTIVE = 0.15


@dataclass(frozen=True)
class Pose:
    """Where the head is and how it is turned.

    Angles are in radians; ``scale`` is half the head's height and ``x``, ``y`` the place of the
    face's origin, as fractions of the image's side.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    x: float
    y: float

    def project(self, points: Points, *, lift: float | None = 0.0) -> Points:
        """Projects face coordinates to fractions of the image's side.

        Args:
            points: float64[n, 2], face coordinates.
            lift: Height above the face's surface in face units (a nose tip has some), or None for
                points that do not turn with the face, such as its outline.

        Returns:
            float64[n, 2].
        """
        x, y = points[:, 0], points[:, 1]
        if lift is None:
            z = np.zeros_like(x)
        else:
            inside = 1.0 - (x / 0.9) ** 2 - (y / 1.3) ** 2
            z = _DEPTH * np.sqrt(np.clip(inside, 0.0, None)) + lift
        turned_x = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        z = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        turned_y = y * np.cos(self.pitch) - z * np.sin(self.pitch)
        z = z * np.cos(self.pitch) + y * np.sin(self.pitch)
        zoom = self.scale * (1.0 + _PERSPECTIVE * z)
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        return np.stack(
            [
                self.x + zoom * (cos * turned_x - sin * turned_y),
                self.y + zoom * (sin * turned_x + cos * turned_y),
            ],
            axis=1,
        )


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draws a head pose: nearly frontal, as in FER2013, with the head filling the frame."""
    return Pose(
        yaw=float(np.clip(rng.normal(0.0, 0.15), -0.4, 0.4)),
        pitch=float(np.clip(rng.normal(0.0, 0.07), -0.18, 0.18)),
        roll=float(np.clip(rng.normal(0.0, 0.09), -0.25, 0.25)),
        scale=rng.uniform(0.46, 0.55),
        x=0.5 + rng.uniform(-0.045, 0.045),
        y=0.49 + rng.uniform(-0.045, 0.045),
    )


class Canvas:
    """Ink (tones, supersampled) and relief (soft shadows and highlights) of one drawing.

    Attributes:
        ink: uint8[4 s, 4 s], the tones.
        pose: The head's pose.
    """

    def __init__(self, background: Image, pose: Pose) -> None:
        """Starts a drawing of the background's size, uint8[s, s]."""
        self.size = background.shape[0]
        self.pose = pose
        side = self.size * SUPERSAMPLING
        self.ink: Image = cv2.resize(background, (side, side), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        soft = self.size * _RELIEF_SCALE
        self._relief: Image = np.full((soft, soft), NEUTRAL_RELIEF, np.uint8)

    def fill(self, points: Points, tone: float, *, lift: float | None = 0.0) -> None:
        """Fills a polygon, float64[n, 2], with a grey level."""
        cv2.fillPoly(
            self.ink, [self._pixels(points, self.ink, lift)], _grey(tone), shift=_FRACTION_BITS
        )

    def stroke(
        self,
        points: Points,
        tone: float,
        width: float,
        *,
        lift: float | None = 0.0,
        closed: bool = False,
    ) -> None:
        """Draws an open or closed line whose width is in face units."""
        thickness = max(1, round(width * self.pose.scale * self.ink.shape[0]))
        cv2.polylines(
            self.ink,
            [self._pixels(points, self.ink, lift)],
            closed,
            _grey(tone),
            thickness,
            shift=_FRACTION_BITS,
        )

    def shade(self, points: Points, amount: float) -> None:
        """Darkens (below 0) or lightens (above 0) a polygon with soft edges; -1 is black."""
        tone = NEUTRAL_RELIEF * (1.0 + amount)
        cv2.fillPoly(
            self._relief,
            [self._pixels(points, self._relief, 0.0)],
            _grey(tone),
            shift=_FRACTION_BITS,
        )

    def crease(self, points: Points, depth: float, width: float = 0.035) -> None:
        """Draws a soft dark line: a wrinkle or a fold of the skin."""
        if depth < 0.04:
            return
        cv2.polylines(
            self._relief,
            [self._pixels(points, self._relief, 0.0)],
            False,
            _grey(NEUTRAL_RELIEF * (1.0 - depth)),
            max(1, round(width * self.pose.scale * self._relief.shape[0])),
            shift=_FRACTION_BITS,
        )

    def apply_relief(self) -> None:
        """Multiplies the softened relief into the ink, and starts a new relief."""
        sigma = 0.016 * self._relief.shape[0]
        soft = cv2.GaussianBlur(self._relief, (0, 0), sigma)
        soft = cv2.resize(soft, self.ink.shape, interpolation=cv2.INTER_LINEAR)
        self.ink = cv2.multiply(self.ink, soft, scale=1.0 / NEUTRAL_RELIEF)  # type: ignore[assignment]
        self._relief.fill(NEUTRAL_RELIEF)

    def render(self) -> Image:
        """Averages the supersampled ink down to uint8[s, s]."""
        side = (self.size, self.size)
        return cv2.resize(self.ink, side, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def _pixels(self, points: Points, image: Image, lift: float | None) -> npt.NDArray[np.int32]:
        projected = self.pose.project(points, lift=lift) * image.shape[0]
        return np.rint(projected * (1 << _FRACTION_BITS)).astype(np.int32)


def ellipse(x: float, y: float, half_width: float, half_height: float, count: int = 20) -> Points:
    """Returns the outline of an upright ellipse, float64[count, 2]."""
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)


def curve(x: npt.ArrayLike, y: npt.ArrayLike) -> Points:
    """Pairs coordinates, broadcasting a constant one, to float64[n, 2]."""
    return np.stack(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)), axis=1)


def _grey(tone: float) -> tuple[int]:
    return (int(np.clip(tone, 0, 255)),)
