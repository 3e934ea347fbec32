"""Why a file of the source does not become an example."""

from enum import StrEnum


class Rejection(StrEnum):
    """A reason, as it is spelt in the ingest report."""

    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    NEARLY_CONSTANT = "nearly_constant"
    SYSTEM_FILE = "system_file"
    NO_CLASS_FOLDER = "no_class_folder"
    NO_SPLIT_FOLDER = "no_split_folder"
    UNKNOWN_LABEL = "unknown_label"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    DUPLICATE_IN_TRAIN = "duplicate_in_train"
    ALSO_IN_EVAL = "also_in_eval"
    CONFLICTING_LABELS = "conflicting_labels"

    @property
    def meaning(self) -> str:
        """One phrase for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Rejection.NOT_AN_IMAGE: "not a JPEG, PNG, BMP or WebP image",
    Rejection.TRUNCATED: "an image cut short or damaged",
    Rejection.TOO_SMALL: "a side under the smallest accepted",
    Rejection.TOO_LARGE: "a side or the file over the largest accepted",
    Rejection.NEARLY_CONSTANT: "next to no contrast",
    Rejection.SYSTEM_FILE: "left by an operating system or archiver",
    Rejection.NO_CLASS_FOLDER: "outside of every class folder",
    Rejection.NO_SPLIT_FOLDER: "outside of every split folder",
    Rejection.UNKNOWN_LABEL: "a label or split that has no name",
    Rejection.NOT_A_FILE: "a broken link, a linked folder or a device",
    Rejection.UNREADABLE: "a file that the system does not let be read",
    Rejection.DUPLICATE_IN_TRAIN: "pixels of another train image",
    Rejection.ALSO_IN_EVAL: "a train image that also stands in the eval split",
    Rejection.CONFLICTING_LABELS: "train images of equal pixels and different classes",
}
