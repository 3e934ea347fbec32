"""Who is drawn: the traits of a face at rest, independent of its expression."""

from dataclasses import dataclass

import numpy as np

HAIR_STYLES = ("bald", "short", "parted", "fringe", "long", "curly")


@dataclass(frozen=True)
class Appearance:
    """Traits of one drawn person.

    Tones are grey levels (0 to 255).  Lengths are in face units: 1 is half the height of the head.
    ``resting_*`` are how the face stands at rest: some people look stern or sad without being so.
    """

    skin: float
    hair: float
    iris: float
    lip_contrast: float
    head_width: float
    jaw_width: float
    eye_spacing: float
    eye_size: float
    brow_thickness: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip_fullness: float
    resting_brow_height: float
    resting_brow_tilt: float
    resting_corner: float
    resting_lids: float
    wrinkles: float
    hair_style: str
    beard: float
    glasses: bool
    earrings: bool


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Draws a person.

    Args:
        rng: Source of all randomness.

    Returns:
        The traits.
    """
    skin = rng.uniform(105.0, 210.0)
    # Hair from near black to white, but never the tone of the skin that it stands out from.
    hair = rng.choice(
        [rng.uniform(15, 70), rng.uniform(60, 120), rng.uniform(190, 235)], p=[0.6, 0.3, 0.1]
    )
    if abs(hair - skin) < 40:
        hair = skin - 60
    return Appearance(
        skin=skin,
        hair=float(hair),
        iris=rng.uniform(20, 85),
        lip_contrast=rng.uniform(0.62, 0.85),
        head_width=rng.uniform(0.68, 0.8),
        jaw_width=rng.uniform(0.72, 0.95),
        eye_spacing=rng.uniform(0.28, 0.34),
        eye_size=rng.uniform(0.85, 1.15),
        brow_thickness=rng.uniform(0.03, 0.065),
        nose_width=rng.uniform(0.09, 0.14),
        nose_length=rng.uniform(0.9, 1.1),
        mouth_width=rng.uniform(0.23, 0.31),
        lip_fullness=rng.uniform(0.7, 1.35),
        resting_brow_height=rng.normal(0.0, 0.02),
        resting_brow_tilt=rng.normal(0.0, 0.018),
        resting_corner=rng.normal(0.0, 0.016),
        resting_lids=rng.normal(0.0, 0.008),
        wrinkles=rng.beta(1.0, 3.0),
        hair_style=str(rng.choice(HAIR_STYLES)),
        beard=float(rng.random() < 0.12) * rng.uniform(0.3, 0.8),
        glasses=bool(rng.random() < 0.12),
        earrings=bool(rng.random() < 0.1),
    )
