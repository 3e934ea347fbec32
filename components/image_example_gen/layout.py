"""Which split and class the folders of a source put an image in."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from components.image_example_gen.rejections import Rejection
from pipeline.features import EVAL_SPLIT, TRAIN_SPLIT, UNLABELLED_SPLIT

SplitBy = Literal["folders", "usage", "content_hash", "none"]


class Placement(NamedTuple):
    """Where an image goes.

    Attributes:
      split: Split of the examples; None leaves it to the image's content hash.
      label: Class name, or None for unlabelled images.
      source_split: The split as the source spells it, or empty.
    """

    split: str | None
    label: str | None
    source_split: str = ""


@dataclass(frozen=True)
class Layout:
    """The folder structure of a source.

    Attributes:
      split_by: What decides the split.
      split_depth: Position of the split folder in a path, if folders name splits.
      class_depth: Position of the class folder in a path; None if there are no labels.
      split_aliases: Case-folded folder name to split.
      class_aliases: Case-folded folder name to class.
    """

    split_by: SplitBy
    split_depth: int | None
    class_depth: int | None
    split_aliases: Mapping[str, str]
    class_aliases: Mapping[str, str]

    def place(self, name: str) -> Placement | Rejection:
        """Places one image by its path inside the source."""
        if self.class_depth is None:
            return Placement(UNLABELLED_SPLIT, None)
        folders = name.split("/")[:-1]
        source_split = ""
        if self.split_depth is not None:
            if len(folders) <= self.split_depth:
                return Rejection.NO_SPLIT_FOLDER
            source_split = folders[self.split_depth]
            if fold(source_split) not in self.split_aliases:
                return Rejection.NO_SPLIT_FOLDER
        if len(folders) <= self.class_depth:
            return Rejection.NO_CLASS_FOLDER
        label = class_name(folders[self.class_depth], self.class_aliases)
        if not label:
            return Rejection.NO_CLASS_FOLDER
        split = self.split_aliases[fold(source_split)] if self.split_by == "folders" else None
        return Placement(split, label, source_split)


def find_layout(
    names: Sequence[str],
    split_aliases: Mapping[str, str],
    class_aliases: Mapping[str, str],
    unlabelled: bool = False,
) -> Layout:
    """Finds the split and class folders, below any number of folders that hold all the rest.

    Splits are the shallowest folders named in `split_aliases` that have folders in them which are
    not, classes the folders in these. If only train is there, or no split at all, the content hash
    decides. Without splits, classes are the shallowest folders of which there are two.

    Args:
      names: Paths of the image candidates inside the source.
      split_aliases: Folder name to `train` or `eval`; compared after case-folding.
      class_aliases: Folder name to class name; compared after case-folding.
      unlabelled: Take every image, whatever its folder, without a label.
    """
    splits = {fold(alias): split for alias, split in split_aliases.items()}
    classes = {fold(alias): fold(name) for alias, name in class_aliases.items()}
    if unlabelled:
        return Layout("none", None, None, splits, classes)
    paths = [name.split("/")[:-1] for name in names]
    deepest = max((len(path) for path in paths), default=0)
    for depth in range(deepest):
        found = {
            splits[fold(path[depth])]
            for path in paths
            if len(path) > depth + 1
            and fold(path[depth]) in splits
            and fold(path[depth + 1]) not in splits
        }
        if found:
            split_by: SplitBy = "content_hash" if found == {TRAIN_SPLIT} else "folders"
            return Layout(split_by, depth, depth + 1, splits, classes)
    for depth in range(deepest):
        if len({path[depth] for path in paths if len(path) > depth}) > 1:
            return Layout("content_hash", None, depth, splits, classes)
    return Layout("content_hash", None, max(deepest - 1, 0), splits, classes)


def class_name(folder: str, class_aliases: Mapping[str, str]) -> str:
    """The class that a folder, or a label column, names: stripped, case-folded, un-aliased."""
    name = fold(folder)
    return class_aliases.get(name, name)


def fold(name: str) -> str:
    """The form in which folder names are compared."""
    return unicodedata.normalize("NFC", name.strip().casefold())


def split_of_hash(content_hash: str, eval_fraction: float) -> str:
    """Train or eval by content, so that copies of an image always fall together.

    Args:
      content_hash: Hex digest of at least 8 digits, uniformly distributed.
      eval_fraction: Expected share of eval, between 0 and 1.
    """
    return EVAL_SPLIT if int(content_hash[:8], 16) < eval_fraction * 2**32 else TRAIN_SPLIT
