"""One drawn image: background, face, light, occlusion and camera."""

import cv2
import numpy as np

from pipeline.drawn_sample.appearance import sample_appearance
from pipeline.drawn_sample.canvas import SUPERSAMPLING, Canvas, Image, Pose, sample_pose
from pipeline.drawn_sample.expressions import sample_action_units
from pipeline.drawn_sample.eyes import draw_brows, draw_eyes, draw_upper_face_relief
from pipeline.drawn_sample.head import (
    draw_beard,
    draw_glasses,
    draw_hair,
    draw_head,
    draw_nose,
)
from pipeline.drawn_sample.mouth import draw_mouth, draw_mouth_relief

_OCCLUSION_PROBABILITY = 0.08


def draw_face(expression: str, rng: np.random.Generator, size: int = 48) -> Image:
    """Draws one face.

    Args:
        expression: One of ``EXPRESSIONS``.
        rng: Source of all randomness: equal states draw equal images.
        size: Side of the image in pixels.

    Returns:
        uint8[size, size], grey.

    Raises:
        ValueError: The expression is unknown.
    """
    au = sample_action_units(expression, rng)
    face = sample_appearance(rng)
    pose = sample_pose(rng)
    light = rng.uniform(0.0, 2.0 * np.pi)
    canvas = Canvas(_background(rng, size), pose)
    draw_head(canvas, face, au, clothing=rng.uniform(20, 230))
    draw_beard(canvas, face, au)
    draw_upper_face_relief(canvas, face, au)
    draw_mouth_relief(canvas, face, au)
    canvas.apply_relief()
    draw_eyes(canvas, face, au, gaze=(rng.normal(0.0, 0.3), rng.normal(0.0, 0.5)))
    draw_brows(canvas, face, au, asymmetry=rng.normal(0.0, 0.015))
    draw_nose(canvas, face, au, lit_from=1.0 if np.cos(light) > 0 else -1.0)
    draw_mouth(canvas, face, au, asymmetry=rng.normal(0.0, 0.012))
    draw_hair(canvas, face, fringe=rng.uniform(-1.0, 1.0))
    draw_glasses(canvas, face)
    if rng.random() < _OCCLUSION_PROBABILITY:
        _occlude(canvas, face.skin, rng)
    return _photograph(canvas.render(), pose, light, rng)


def _background(rng: np.random.Generator, size: int) -> Image:
    """Returns a blurred room: a smooth field of light with a few shapes.  uint8[size, size]."""
    base, contrast = rng.uniform(30, 220), rng.uniform(5, 45)
    coarse = np.clip(rng.normal(base, contrast, (4, 4)), 0, 255).astype(np.uint8)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 5)):
        corners = rng.uniform(-0.2, 1.2, (4, 2)) * size
        hull = cv2.convexHull(corners.astype(np.int32))
        cv2.fillConvexPoly(image, hull, (int(rng.integers(20, 235)),))
    return cv2.GaussianBlur(image, (0, 0), 0.02 * size)  # type: ignore[return-value]


def _occlude(canvas: Canvas, skin: float, rng: np.random.Generator) -> None:
    """Lays a hand, a cup's rim or a pole over an edge of the face."""
    side = canvas.size * SUPERSAMPLING
    angle = rng.uniform(0.0, 2.0 * np.pi)
    # The near edge passes beside the centre: half of the evidence stays visible.
    distance = rng.uniform(0.17, 0.3) * side
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    width, spread = rng.uniform(0.1, 0.2) * side, rng.uniform(0.3, 0.9) * side
    start = np.array([0.5, 0.5]) * side + along * distance
    bar = np.stack(
        [
            start - across * spread,
            start + across * spread,
            start + across * spread + along * width,
            start - across * spread + along * width,
        ]
    )
    tone = skin * rng.uniform(0.75, 1.1) if rng.random() < 0.6 else rng.uniform(10, 245)
    cv2.fillConvexPoly(canvas.ink, np.rint(bar).astype(np.int32), (int(min(tone, 255)),))


def _photograph(image: Image, pose: Pose, light: float, rng: np.random.Generator) -> Image:
    """Lights a rendered drawing from one side and takes it with an imperfect camera."""
    size = image.shape[0]
    axis = (np.arange(size) + 0.5) / size
    x, y = (axis - pose.x) / pose.scale, (axis[:, np.newaxis] - pose.y) / pose.scale
    toward = np.clip(x * np.cos(light) + y * np.sin(light), -1.2, 1.2)
    rounding = np.clip(x**2 + y**2, 0.0, 1.5)
    shading = 1.0 + rng.uniform(0.0, 0.35) * toward - rng.uniform(0.02, 0.15) * rounding
    exposed = image * shading
    exposed = (exposed - 110.0) * rng.uniform(0.75, 1.2) + 110.0 + rng.uniform(-20.0, 20.0)
    # As blurred as by a 48-pixel camera, whatever the size drawn.
    sigma = rng.uniform(0.25, 0.6) * size / 48
    grain = rng.normal(0.0, rng.uniform(1.0, 5.0), image.shape)
    exposed = cv2.GaussianBlur(exposed, (0, 0), sigma) + grain
    return np.clip(np.rint(exposed), 0, 255).astype(np.uint8)
