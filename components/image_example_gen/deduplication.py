"""Which images of equal pixels stay.

The eval split is what models are measured on, so it is never thinned: what it holds twice, or
under two classes, is only told. Train gives way to eval, and to itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from components.image_example_gen.rejections import Rejection
from pipeline.features import EVAL_SPLIT, TRAIN_SPLIT


class Copy(NamedTuple):
    """One of several images with the same content hash."""

    name: str
    split: str
    label: str | None


class Verdict(NamedTuple):
    """What becomes of a group of copies.

    Attributes:
      rejections: For each copy in order, why it is dropped, or None if it stays.
      train_copies: Train holds the image more than once under one class.
      train_conflict: Train holds the image under several classes.
      train_in_eval: Both splits hold the image.
      eval_copies: Eval holds the image more than once.
      eval_conflict: Eval holds the image under several classes.
    """

    rejections: list[Rejection | None]
    train_copies: bool = False
    train_conflict: bool = False
    train_in_eval: bool = False
    eval_copies: bool = False
    eval_conflict: bool = False


def resolve_copies(copies: Sequence[Copy]) -> Verdict:
    """Decides on all images of one content hash.

    Conflicting train copies are all dropped, for none of their labels can be trusted; train
    copies of an eval image are all dropped; of other train copies the first by name stays. Other
    splits keep all.

    Args:
      copies: The group, in any order, with distinct names.
    """
    train = [copy for copy in copies if copy.split == TRAIN_SPLIT]
    held_out = [copy for copy in copies if copy.split == EVAL_SPLIT]
    conflict = len({copy.label for copy in train}) > 1
    first = min((copy.name for copy in train), default=None)

    def rejection_of(copy: Copy) -> Rejection | None:
        if copy.split != TRAIN_SPLIT:
            return None
        if conflict:
            return Rejection.CONFLICTING_LABELS
        if held_out:
            return Rejection.ALSO_IN_EVAL
        return None if copy.name == first else Rejection.DUPLICATE_IN_TRAIN

    return Verdict(
        rejections=[rejection_of(copy) for copy in copies],
        train_copies=len(train) > 1 and not conflict,
        train_conflict=conflict,
        train_in_eval=bool(train and held_out),
        eval_copies=len(held_out) > 1,
        eval_conflict=len({copy.label for copy in held_out}) > 1,
    )
