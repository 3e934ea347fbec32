"""Brows, eyes, lids, and the wrinkles that belong to them."""

import numpy as np

from pipeline.drawn_sample.appearance import Appearance
from pipeline.drawn_sample.canvas import Canvas, curve, ellipse
from pipeline.drawn_sample.expressions import ActionUnits

_EYE_Y = -0.1
_BROW_Y = -0.31
_SIDES = (-1.0, 1.0)


def draw_eyes(canvas: Canvas, face: Appearance, au: ActionUnits, gaze: tuple[float, float]) -> None:
    """Draws both eyes with iris, pupil, lashes and the crease of the lid.

    Args:
        canvas: Where to draw.
        face: The person.
        au: The expression.
        gaze: Where the irises look, right and down, as a fraction of the eye's half width.
    """
    half = 0.145 * face.eye_size
    above = 0.075 * face.eye_size + face.resting_lids + 0.06 * au.upper_lid_raiser
    above -= 0.02 * au.lid_tightener + 0.02 * au.nose_wrinkler + 0.015 * au.cheek_raiser
    above = max(0.012, above - 0.05 * au.lid_droop)
    below = 0.05 * face.eye_size + 0.01 * au.upper_lid_raiser
    below -= 0.032 * au.lid_tightener + 0.04 * au.cheek_raiser + 0.03 * au.nose_wrinkler
    below = max(-0.005, below)
    # Sadness lifts the inner end of the upper lid, anger lets the brow press it down.
    slant = 0.03 * (au.inner_brow_raiser - au.brow_lowerer)
    steps = np.linspace(-1.0, 1.0, 11)
    arch = (1.0 - steps**2) ** 0.8
    sclera = 175 + 0.28 * face.skin
    for side in _SIDES:
        x = side * face.eye_spacing + half * steps
        inner = -side * steps  # 1 at the inner corner, -1 at the outer.
        upper = _EYE_Y - above * arch - slant * inner * arch
        lower = _EYE_Y + below * arch
        canvas.fill(np.concatenate([curve(x, upper), curve(x, lower)[::-1]]), min(sclera, 245))
        center = (side * face.eye_spacing + half * 0.5 * gaze[0], _EYE_Y - 0.01 + 0.03 * gaze[1])
        for radius, tone in ((0.078, face.iris), (0.038, 8.0)):
            iris = ellipse(*center, radius * face.eye_size, radius * face.eye_size)
            lid = np.interp(iris[:, 0], x, upper), np.interp(iris[:, 0], x, lower)
            iris[:, 1] = np.clip(iris[:, 1], *lid)
            canvas.fill(iris, tone)
        if above > 0.04:
            canvas.fill(ellipse(center[0] + 0.02, center[1] - 0.025, 0.016, 0.016, 8), 240)
        canvas.stroke(curve(x, upper), face.skin * 0.2, 0.026)
        canvas.stroke(curve(x, lower), face.skin * 0.62, 0.014)


def draw_brows(canvas: Canvas, face: Appearance, au: ActionUnits, asymmetry: float) -> None:
    """Draws both brows.

    Args:
        canvas: Where to draw.
        face: The person.
        au: The expression.
        asymmetry: How much higher the right brow is than the left, in face units.
    """
    steps = np.linspace(0.0, 1.0, 9)  # From the inner to the outer end.
    # AU1 overrides AU4's lowering at the inner end: together they draw the brows together and up.
    lower = au.brow_lowerer * (1.0 - 0.75 * au.inner_brow_raiser)
    rise = 0.12 * au.inner_brow_raiser * (1.0 - steps) ** 1.2
    rise += 0.11 * au.outer_brow_raiser * np.sqrt(steps)
    rise -= lower * (0.03 + 0.1 * (1.0 - steps)) + 0.07 * au.nose_wrinkler * (1.0 - steps)
    arch = (0.05 + 0.03 * au.outer_brow_raiser) * (1.0 - 0.7 * au.brow_lowerer)
    y = _BROW_Y - face.resting_brow_height - rise - arch * np.sin(np.pi * steps**1.3 * 0.9)
    y += face.resting_brow_tilt * (1.0 - 2.0 * steps)
    inner_x = 0.13 - 0.055 * au.brow_lowerer - 0.02 * au.nose_wrinkler
    x = inner_x + steps * (0.52 - inner_x)
    half = face.brow_thickness * (1.0 - 0.75 * steps**2) * np.minimum(1.0, 0.6 + 3 * steps)
    # Fair people have darker brows than hair; otherwise no expression would be seen on them.
    tone = min(face.hair, face.skin * 0.55)
    for side in _SIDES:
        shift = y - side * asymmetry / 2
        canvas.fill(
            np.concatenate([curve(side * x, shift - half), curve(side * x, shift + half)[::-1]]),
            tone,
        )


def draw_upper_face_relief(canvas: Canvas, face: Appearance, au: ActionUnits) -> None:
    """Shades eye sockets, and wrinkles of forehead, brow, nose root and outer eye corners."""
    steps = np.linspace(-1.0, 1.0, 9)
    raised = (au.inner_brow_raiser + au.outer_brow_raiser) / 2
    for row in range(3):
        y = -0.52 - 0.1 * row - 0.05 * raised
        canvas.crease(
            curve(0.4 * steps, y + 0.03 * steps**2), 0.2 * face.wrinkles + 0.24 * raised, 0.025
        )
    for side in _SIDES:
        x = side * face.eye_spacing
        canvas.shade(ellipse(x, _EYE_Y - 0.05, 0.19, 0.12), -0.1 - 0.08 * au.brow_lowerer)
        canvas.crease(
            curve(x + 0.13 * steps, _EYE_Y + 0.1 + 0.03 * (1 - steps**2)),
            0.2 * face.wrinkles + 0.2 * max(au.cheek_raiser, au.lid_tightener),
            0.02,
        )
        furrow = 0.35 * au.brow_lowerer + 0.3 * au.nose_wrinkler
        canvas.crease(curve(side * np.array([0.05, 0.045]), [-0.4, -0.24]), furrow, 0.028)
        for row in range(2):
            ray = curve(side * np.array([0.5, 0.58]), [-0.1 + 0.05 * row, -0.14 + 0.11 * row])
            canvas.crease(ray, 0.25 * au.cheek_raiser, 0.02)
            wing = curve(side * np.array([0.01, 0.1]), [-0.06 + 0.07 * row, 0.0 + 0.07 * row])
            canvas.crease(wing, 0.45 * au.nose_wrinkler, 0.03)
