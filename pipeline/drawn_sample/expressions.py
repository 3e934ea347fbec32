"""Expressions as action units of the Facial Action Coding System (FACS).

FACS describes a face by the muscles that act (Ekman, Friesen and Hager, *Facial Action Coding
System*, 2002).  The combinations below follow the prototypes and major variants of the emotions in
its Investigator's Guide and in EMFACS:

========  ==========================================================================
angry     AU4 brows down and together, AU5 upper lids up, AU7 lids tight, and AU23/24
          lips tight and pressed; or AU10+25 the mouth open in a square, teeth shown
disgust   AU9 nose wrinkled or AU10 upper lip up, with AU15 corners down, AU16 lower
          lip down, AU17 chin up; AU9 also pulls the inner brows down
fear      AU1+2+4 brows up, straight and together, AU5 lids up, AU20 lips stretched
          sideways, AU25/26 mouth open
happy     AU6 cheeks up, AU12 lip corners pulled up, often AU25 lips parted
neutral   none
sad       AU1+4 inner brows up and together, AU15 corners down, AU17 chin up,
          AU43 lids drooping
surprise  AU1+2 brows up and arched, AU5 lids up, AU26/27 jaw dropped
========  ==========================================================================

Fear and surprise share brows and lids, anger and disgust the lowered brow, and a faint sadness is
close to a resting face: these are the pairs that human coders confuse, too.
"""

from dataclasses import dataclass, fields

import numpy as np

EXPRESSIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@dataclass(frozen=True)
class ActionUnits:
    """How strongly each action unit acts: 0 is at rest, 1 is the strongest (FACS intensity E)."""

    inner_brow_raiser: float = 0.0  # AU1
    outer_brow_raiser: float = 0.0  # AU2
    brow_lowerer: float = 0.0  # AU4
    upper_lid_raiser: float = 0.0  # AU5
    cheek_raiser: float = 0.0  # AU6
    lid_tightener: float = 0.0  # AU7
    nose_wrinkler: float = 0.0  # AU9
    upper_lip_raiser: float = 0.0  # AU10
    lip_corner_puller: float = 0.0  # AU12
    lip_corner_depressor: float = 0.0  # AU15
    lower_lip_depressor: float = 0.0  # AU16
    chin_raiser: float = 0.0  # AU17
    lip_stretcher: float = 0.0  # AU20
    lip_presser: float = 0.0  # AU23 and AU24
    lips_part: float = 0.0  # AU25
    jaw_drop: float = 0.0  # AU26, from 0.6 upwards AU27
    lid_droop: float = 0.0  # AU43


# Per variant: action unit -> (strength at full intensity, probability that it takes part).
_Variant = dict[str, tuple[float, float]]

_VARIANTS: dict[str, tuple[_Variant, ...]] = {
    "angry": (
        {
            "brow_lowerer": (1.0, 1.0),
            "upper_lid_raiser": (0.5, 0.7),
            "lid_tightener": (0.7, 0.8),
            "lip_presser": (1.0, 0.9),
            "chin_raiser": (0.4, 0.3),
        },
        {
            "brow_lowerer": (1.0, 1.0),
            "upper_lid_raiser": (0.5, 0.6),
            "lid_tightener": (0.7, 0.8),
            "upper_lip_raiser": (0.5, 0.8),
            "lower_lip_depressor": (0.8, 0.8),
            "lips_part": (1.0, 1.0),
            "jaw_drop": (0.35, 0.6),
        },
    ),
    "disgust": (
        {
            "nose_wrinkler": (1.0, 1.0),
            "brow_lowerer": (0.4, 0.5),
            "lip_corner_depressor": (0.6, 0.7),
            "lower_lip_depressor": (0.6, 0.5),
            "lid_tightener": (0.6, 0.5),
        },
        {
            "upper_lip_raiser": (1.0, 1.0),
            "nose_wrinkler": (0.7, 0.7),
            "chin_raiser": (0.8, 0.8),
            "lip_corner_depressor": (0.5, 0.5),
            "lips_part": (0.6, 0.4),
        },
    ),
    "fear": (
        {
            "inner_brow_raiser": (1.0, 1.0),
            "outer_brow_raiser": (0.5, 0.8),
            "brow_lowerer": (0.7, 0.95),
            "upper_lid_raiser": (1.0, 0.95),
            "lid_tightener": (0.4, 0.4),
            "lip_stretcher": (1.0, 0.95),
            "lips_part": (0.8, 0.9),
            "jaw_drop": (0.35, 0.7),
        },
    ),
    "happy": (
        {
            "cheek_raiser": (0.9, 0.9),
            "lip_corner_puller": (1.0, 1.0),
            "lips_part": (0.9, 0.65),
            "jaw_drop": (0.4, 0.25),
        },
    ),
    "neutral": ({},),
    "sad": (
        {
            "inner_brow_raiser": (1.0, 0.95),
            "brow_lowerer": (0.5, 0.8),
            "lip_corner_depressor": (0.9, 0.95),
            "chin_raiser": (0.6, 0.5),
            "lid_droop": (0.6, 0.6),
        },
    ),
    "surprise": (
        {
            "inner_brow_raiser": (1.0, 1.0),
            "outer_brow_raiser": (1.0, 1.0),
            "upper_lid_raiser": (0.8, 0.95),
            "lips_part": (0.6, 1.0),
            "jaw_drop": (1.0, 0.95),
        },
    ),
}

# The faintest expression drawn; below it even a careful observer would write "neutral".
_FAINTEST = 0.6
# Chance of an unrelated, weak action: a talking mouth, a squint, a frown in the sun.
_STRAY_PROBABILITY = 0.04
_STRAY_STRENGTH = 0.3


def sample_action_units(expression: str, rng: np.random.Generator) -> ActionUnits:
    """Draws one instance of an expression: variant, overall intensity and per-unit variation.

    Args:
        expression: One of ``EXPRESSIONS``.
        rng: Source of all randomness.

    Returns:
        The activations, each in [0, 1].

    Raises:
        ValueError: The expression is none of ``EXPRESSIONS``.
    """
    if expression not in _VARIANTS:
        raise ValueError(f"unknown expression {expression!r}; known: {', '.join(EXPRESSIONS)}")
    variants = _VARIANTS[expression]
    variant = variants[int(rng.integers(len(variants)))]
    intensity = rng.uniform(_FAINTEST, 1.0)
    levels: dict[str, float] = {}
    for unit in fields(ActionUnits):
        strength, probability = variant.get(unit.name, (0.0, 0.0))
        acts, stray = rng.random(2)
        level = intensity * strength * rng.uniform(0.75, 1.25) if acts < probability else 0.0
        if stray < _STRAY_PROBABILITY:
            level += rng.uniform(0.0, _STRAY_STRENGTH)
        levels[unit.name] = min(level, 1.0)
    return ActionUnits(**levels)
