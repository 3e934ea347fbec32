"""Everything around the features: neck, ears, skull, nose, hair, beard, glasses."""

import numpy as np

from pipeline.drawn_sample.appearance import Appearance
from pipeline.drawn_sample.canvas import Canvas, Points, curve, ellipse
from pipeline.drawn_sample.expressions import ActionUnits
from pipeline.drawn_sample.mouth import opening

_SIDES = (-1.0, 1.0)


def head_outline(face: Appearance, au: ActionUnits) -> Points:
    """Returns the outline of skull and jaw; a dropped jaw lengthens it.  float64[40, 2]."""
    outline = ellipse(0.0, 0.0, face.head_width, 1.0, 40)
    below = np.clip(outline[:, 1], 0.0, None)
    outline[:, 0] *= 1.0 - (1.0 - face.jaw_width) * below
    outline[:, 1] += 0.5 * opening(au) * below**2
    return outline


def draw_head(canvas: Canvas, face: Appearance, au: ActionUnits, clothing: float) -> None:
    """Draws the hair behind the head, neck and shoulders, ears and skull.

    Args:
        canvas: Where to draw.
        face: The person.
        au: The expression, for the jaw.
        clothing: Grey level of the clothes.
    """
    if face.hair_style == "long":
        canvas.fill(ellipse(0.0, 0.1, face.head_width * 1.32, 1.22), face.hair, lift=None)
    elif face.hair_style == "curly":
        for x, y in ellipse(0.0, -0.3, face.head_width * 1.05, 0.75, 14):
            if y < 0.25:
                canvas.fill(ellipse(x, y, 0.27, 0.25, 12), face.hair, lift=None)
    canvas.fill(ellipse(0.0, 2.1, 1.5, 0.85), clothing, lift=None)
    neck = curve([-0.38, 0.38, 0.46, -0.46], [0.5, 0.5, 1.45, 1.45])
    canvas.fill(neck, face.skin * 0.72, lift=None)
    for side in _SIDES:
        x = side * face.head_width
        canvas.fill(ellipse(x, 0.0, 0.1, 0.19), face.skin * 0.88, lift=None)
        canvas.fill(ellipse(x, 0.0, 0.05, 0.11), face.skin * 0.7, lift=None)
        if face.earrings:
            canvas.fill(ellipse(x, 0.24, 0.045, 0.045, 10), 235, lift=None)
    canvas.fill(head_outline(face, au), face.skin, lift=None)


def draw_nose(canvas: Canvas, face: Appearance, au: ActionUnits, lit_from: float) -> None:
    """Draws the nose; its shadow falls on the side away from the light.

    Args:
        canvas: Where to draw.
        face: The person.
        au: The expression: AU9 and AU10 lift and widen the wings.
        lit_from: -1 when the light comes from the left, 1 from the right.
    """
    lift = 0.05 * au.nose_wrinkler + 0.02 * au.upper_lip_raiser
    base = 0.26 * face.nose_length - lift
    width = face.nose_width * (1.0 + 0.2 * au.nose_wrinkler)
    ridge = curve([-lit_from * 0.05, -lit_from * 0.02, -lit_from * width], [-0.16, base, base])
    canvas.fill(ridge, face.skin * 0.86, lift=0.06)
    tip = curve(
        width * np.array([-1.0, -0.75, 0.0, 0.75, 1.0]),
        base + np.array([-0.05, 0.0, 0.03, 0.0, -0.05]),
    )
    canvas.stroke(tip, face.skin * 0.6, 0.024, lift=0.08)
    canvas.fill(
        ellipse(lit_from * 0.02, base - 0.07, 0.04, 0.035, 10), min(250, face.skin * 1.12), lift=0.1
    )
    for side in _SIDES:
        canvas.fill(ellipse(side * width * 0.5, base, 0.032, 0.018, 10), face.skin * 0.3, lift=0.06)


def draw_beard(canvas: Canvas, face: Appearance, au: ActionUnits) -> None:
    """Draws a beard of opacity ``face.beard``; the mouth is drawn over it."""
    if face.beard == 0.0:
        return
    tone = face.skin + (min(face.hair, face.skin * 0.6) - face.skin) * face.beard
    outline = head_outline(face, au)
    jaw = outline[outline[:, 1] > 0.12]
    order = np.argsort(np.arctan2(jaw[:, 1], jaw[:, 0]))
    cheek = curve([-0.5, -0.36, 0.0, 0.36, 0.5], [0.3, 0.4, 0.33, 0.4, 0.3])
    canvas.fill(np.concatenate([jaw[order] * 0.98, cheek]), tone, lift=None)


def draw_hair(canvas: Canvas, face: Appearance, fringe: float) -> None:
    """Draws the hair in front of the skull.

    Args:
        canvas: Where to draw.
        face: The person.
        fringe: Where the hair is parted, -1 (left) to 1 (right).
    """
    if face.hair_style == "bald":
        return
    width = face.head_width * 1.04
    angle = np.linspace(np.pi, 2.0 * np.pi, 17)
    skull = curve(width * np.cos(angle), -0.12 + 0.96 * np.sin(angle))
    x = np.linspace(1.0, -1.0, 17)
    if face.hair_style == "fringe":
        line = -0.5 + 0.035 * np.cos(9.0 * x + 3.0 * fringe) + 0.2 * x**4
    elif face.hair_style == "parted":
        line = -0.8 + 0.36 * np.abs(x - 0.5 * fringe) ** 1.3 + 0.08 * x**4
    else:
        line = -0.68 + 0.52 * np.abs(x) ** 7 + 0.05 * fringe * x + 0.02 * np.cos(16.0 * x)
    canvas.fill(np.concatenate([skull, curve(0.96 * width * x, line)]), face.hair, lift=None)
    # Strands run from the parting to the hairline.
    for strand in np.linspace(-0.62, 0.62, 7):
        end = float(np.interp(-strand, -x, line)) - 0.06
        root = 0.25 * fringe + 0.4 * strand
        path = curve([root, 0.5 * root + 0.5 * strand, strand * width], [-0.95, -0.82, end])
        crown = -0.12 - 0.9 * np.sqrt(1.0 - (path[:, 0] / width) ** 2)
        path[:, 1] = np.maximum(path[:, 1], crown)
        canvas.stroke(path, face.hair * 0.8 + 22, 0.018, lift=None)
    if face.hair_style == "long":
        for side in _SIDES:
            lock = curve(
                side * width * np.array([1.02, 0.98, 0.84, 0.86, 1.2, 1.25]),
                [-0.45, -0.5, -0.2, 1.0, 1.1, 0.0],
            )
            canvas.fill(lock, face.hair, lift=None)


def draw_glasses(canvas: Canvas, face: Appearance) -> None:
    """Draws spectacles in a dark frame, if the person wears any."""
    if not face.glasses:
        return
    for side in _SIDES:
        rim = ellipse(side * face.eye_spacing, -0.08, 0.22, 0.18)
        canvas.stroke(rim, 30, 0.03, lift=0.06, closed=True)
        arm = curve(side * np.array([face.eye_spacing + 0.22, face.head_width]), [-0.1, -0.1])
        canvas.stroke(arm, 30, 0.03)
    canvas.stroke(curve([-0.1, 0.0, 0.1], [-0.1, -0.13, -0.1]), 30, 0.03, lift=0.08)
