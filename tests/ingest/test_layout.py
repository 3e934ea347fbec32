"""Finding split and class folders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_example_gen.layout import Layout, Placement, find_layout, split_of_hash
from components.image_example_gen.rejections import Rejection

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "eval",
    "validation": "eval",
    "PublicTest": "eval",
}
CLASSES = {"anger": "angry", "Happiness": "Happy"}


def layout_of(*names: str) -> Layout:
    return find_layout(names, SPLITS, CLASSES)


def places(*names: str) -> list[Placement | Rejection]:
    layout = layout_of(*names)
    return [layout.place(name) for name in names]


def test_split_folders_hold_class_folders() -> None:
    assert places("train/happy/1.jpg", "test/sad/2.jpg") == [
        ("train", "happy", "train"),
        ("eval", "sad", "test"),
    ]


@pytest.mark.parametrize("top", ["archive", "a/b/c", "faces 2013 (1)"])
def test_folders_above_the_splits_do_not_matter(top: str) -> None:
    assert places(f"{top}/train/happy/1.jpg", f"{top}/validation/sad/2.jpg") == [
        ("train", "happy", "train"),
        ("eval", "sad", "validation"),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["Training/Training/happy/1.jpg", "Test/Test/sad/2.jpg"],
        ["Training/train/happy/1.jpg", "Training/test/sad/2.jpg"],
        ["test/train/happy/1.jpg", "test/test/sad/2.jpg"],
    ],
)
def test_a_folder_named_like_a_split_may_hold_the_splits(names: list[str]) -> None:
    assert [place[:2] for place in places(*names)] == [("train", "happy"), ("eval", "sad")]


def test_split_and_class_names_are_stripped_folded_and_unaliased() -> None:
    assert places("Training/ Anger/1.jpg", "PUBLICTEST/HAPPINESS/2.jpg") == [
        ("train", "angry", "Training"),
        ("eval", "happy", "PUBLICTEST"),
    ]


def test_both_unicode_forms_of_a_class_name_are_one_class() -> None:
    composed, decomposed = places("train/caf\u00e9/1.jpg", "test/cafe\u0301/2.jpg")
    assert isinstance(composed, Placement)
    assert isinstance(decomposed, Placement)
    assert composed.label == decomposed.label


def test_classes_alone_leave_the_split_to_the_content() -> None:
    assert places("cat/1.jpg", "dog/2.jpg") == [(None, "cat", ""), (None, "dog", "")]
    assert places("pets/cat/1.jpg", "pets/dog/2.jpg") == [(None, "cat", ""), (None, "dog", "")]
    assert layout_of("cat/1.jpg", "dog/2.jpg").split_by == "content_hash"


def test_train_alone_leaves_the_split_to_the_content() -> None:
    assert places("train/cat/1.jpg", "train/dog/2.jpg") == [
        (None, "cat", "train"),
        (None, "dog", "train"),
    ]


def test_a_class_may_be_named_like_a_split() -> None:
    assert places("test/1.jpg", "control/2.jpg") == [(None, "test", ""), (None, "control", "")]


def test_folders_below_a_class_do_not_matter() -> None:
    placed = places("train/happy/person 1/day/1.jpg", "test/sad/2.jpg")
    assert placed[0] == ("train", "happy", "train")


def test_images_outside_of_the_folders_are_rejected() -> None:
    assert places(
        "train/happy/1.jpg", "test/sad/1.jpg", "train/2.jpg", "cover.jpg", "extra/sad/1.jpg"
    )[2:] == [Rejection.NO_CLASS_FOLDER, Rejection.NO_SPLIT_FOLDER, Rejection.NO_SPLIT_FOLDER]
    assert places("cat/1.jpg", "dog/1.jpg", "cover.jpg")[2] is Rejection.NO_CLASS_FOLDER


def test_without_any_folder_nothing_has_a_class() -> None:
    assert places("1.jpg", "2.jpg") == [Rejection.NO_CLASS_FOLDER] * 2


def test_unlabelled_images_need_no_folders() -> None:
    layout = find_layout(["1.jpg", "train/happy/2.jpg"], SPLITS, CLASSES, unlabelled=True)
    assert layout.place("1.jpg") == layout.place("train/happy/2.jpg") == ("unlabelled", None, "")


@given(st.lists(st.text(alphabet="ab/ .\u00e9T", min_size=1), max_size=20))
def test_every_name_is_placed_or_rejected(names: list[str]) -> None:
    for place in places(*names):
        assert isinstance(place, Rejection) or place.label


def test_the_share_of_eval_by_hash_is_about_what_was_asked() -> None:
    hashes = [f"{n * 2654435761 % 2**32:08x}" for n in range(10_000)]
    share = sum(split_of_hash(h, 0.1) == "eval" for h in hashes) / len(hashes)
    assert 0.09 < share < 0.11
