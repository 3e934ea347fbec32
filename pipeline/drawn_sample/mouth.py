"""The mouth, the folds around it, and the chin."""

import numpy as np

from pipeline.drawn_sample.appearance import Appearance
from pipeline.drawn_sample.canvas import Canvas, curve, ellipse
from pipeline.drawn_sample.expressions import ActionUnits

_MOUTH_Y = 0.5
_STEPS = np.linspace(-1.0, 1.0, 17)
_ARCH = 1.0 - _STEPS**2


def opening(au: ActionUnits) -> float:
    """Returns how far the lips are apart, in face units."""
    press = 1.0 - au.lip_presser
    return press * (0.06 * au.lips_part + 0.05 * au.lower_lip_depressor) + 0.3 * au.jaw_drop


def draw_mouth(canvas: Canvas, face: Appearance, au: ActionUnits, asymmetry: float) -> None:
    """Draws lips, teeth and the dark of the mouth.

    Args:
        canvas: Where to draw.
        face: The person.
        au: The expression.
        asymmetry: How much higher the right corner of the mouth is than the left, in face units.
    """
    gap = opening(au)
    width = face.mouth_width + 0.1 * au.lip_corner_puller + 0.12 * au.lip_stretcher
    width -= 0.05 * au.lip_presser + 0.06 * au.jaw_drop + 0.03 * au.chin_raiser
    lift = 0.09 * au.upper_lip_raiser + 0.06 * au.nose_wrinkler
    corner = _MOUTH_Y + face.resting_corner + 0.3 * gap
    corner += 0.11 * au.lip_corner_depressor - 0.14 * au.lip_corner_puller + 0.02 * au.lip_stretcher
    corners = corner - asymmetry * _STEPS
    # The middle of a smiling upper lip is pulled straight; a raised one shows the teeth.
    upper = _MOUTH_Y - lift - 0.02 * au.lip_corner_puller - 0.05 * au.chin_raiser
    lower = upper + gap + 0.35 * lift * (au.lips_part > 0)
    x = width * _STEPS
    # A stretched or square mouth stays open towards its corners.
    square = np.clip(au.lip_stretcher + au.lower_lip_depressor, 0.0, 1.0)
    arch = (1.0 - np.abs(_STEPS) ** (2.0 + 2.5 * square)) if gap > 0.02 else _ARCH
    top = corners + (upper - corners) * arch
    bottom = np.maximum(corners + (lower - corners) * arch, top)

    fullness = face.lip_fullness * (1.0 - 0.65 * au.lip_presser)
    fullness *= 1.0 - 0.25 * au.lip_corner_puller - 0.2 * au.lip_stretcher
    bow = 1.0 - 0.3 * np.exp(-((_STEPS / 0.18) ** 2))
    upper_lip = top - 0.055 * fullness * bow * (1.0 - np.abs(_STEPS) ** 1.6)
    lower_lip = bottom + 0.08 * fullness * (1.0 + 0.5 * au.chin_raiser) * _ARCH
    lips = face.skin * face.lip_contrast
    canvas.fill(np.concatenate([curve(x, upper_lip), curve(x, lower_lip)[::-1]]), lips)
    canvas.fill(np.concatenate([curve(x, lower_lip), curve(x, bottom)[::-1]]), lips * 1.12)
    if gap > 0.025:
        canvas.fill(np.concatenate([curve(x, top), curve(x, bottom)[::-1]]), 25)
        _draw_teeth(canvas, x, top, bottom, au)
    else:
        canvas.stroke(curve(x, (top + bottom) / 2), face.skin * 0.32, 0.028)


def _draw_teeth(
    canvas: Canvas, x: np.ndarray, top: np.ndarray, bottom: np.ndarray, au: ActionUnits
) -> None:
    inner = slice(2, -2)
    reveal = 0.045 + 0.06 * max(au.lip_corner_puller, au.upper_lip_raiser, au.nose_wrinkler)
    reveal += 0.02 * au.lip_stretcher - 0.03 * au.jaw_drop
    edge = np.minimum(top + reveal, bottom)
    canvas.fill(np.concatenate([curve(x, top)[inner], curve(x, edge)[inner][::-1]]), 225)
    if au.lower_lip_depressor > 0.3:
        edge = np.maximum(bottom - 0.05 * au.lower_lip_depressor, top)
        canvas.fill(np.concatenate([curve(x, edge)[inner], curve(x, bottom)[inner][::-1]]), 205)
        canvas.stroke(curve(x, (top + bottom) / 2)[inner], 60, 0.018)
    elif au.jaw_drop > 0.45:
        canvas.fill(ellipse(0.0, float(bottom[8]) - 0.045, 0.11, 0.04), 95)


def draw_mouth_relief(canvas: Canvas, face: Appearance, au: ActionUnits) -> None:
    """Shades the folds beside the mouth, the cheeks, the hollow under the lip and the chin boss."""
    gap = opening(au)
    steps = np.linspace(0.0, 1.0, 7)
    pull, sneer = au.lip_corner_puller, max(au.nose_wrinkler, au.upper_lip_raiser)
    depth = 0.3 * face.wrinkles + 0.3 * pull + 0.32 * sneer + 0.1 * au.lip_stretcher
    for side in (-1.0, 1.0):
        x = 0.14 + steps * (0.2 + 0.08 * pull) + 0.05 * np.sin(np.pi * steps) * (pull + sneer)
        y = 0.2 - 0.05 * sneer + steps * (0.28 - 0.05 * pull + 0.2 * gap)
        canvas.crease(curve(side * x, y), depth)
        raised = max(au.cheek_raiser, 0.6 * pull)
        canvas.shade(ellipse(side * 0.4, 0.22 - 0.08 * raised, 0.14, 0.1), 0.06 + 0.14 * raised)
        canvas.crease(
            curve(side * (0.3 + 0.06 * steps), 0.56 + 0.12 * steps), 0.3 * au.lip_corner_depressor
        )
    chin = 0.76 + 0.6 * gap
    canvas.shade(ellipse(0.0, 0.66 + 0.9 * gap, 0.14, 0.03), -0.14 - 0.2 * au.chin_raiser)
    canvas.shade(ellipse(0.0, chin + 0.03, 0.12, 0.08), 0.08 + 0.12 * au.chin_raiser)
