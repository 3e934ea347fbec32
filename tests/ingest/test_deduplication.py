"""Which of several equal images stay."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from components.image_example_gen.deduplication import Copy, resolve_copies
from components.image_example_gen.rejections import Rejection

GROUPS = st.lists(
    st.builds(
        Copy,
        name=st.text("abc", min_size=1),
        split=st.sampled_from(["train", "eval"]),
        label=st.sampled_from(["happy", "sad"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda copy: copy.name,
)


def kept(copies: Sequence[Copy]) -> list[Copy]:
    rejections = resolve_copies(copies).rejections
    return [copy for copy, why in zip(copies, rejections, strict=True) if why is None]


def test_of_copies_in_train_the_first_by_name_stays() -> None:
    copies = [Copy("b", "train", "happy"), Copy("a", "train", "happy")]
    verdict = resolve_copies(copies)
    assert verdict.rejections == [Rejection.DUPLICATE_IN_TRAIN, None]
    assert verdict.train_copies


def test_a_train_image_that_eval_holds_is_dropped() -> None:
    copies = [Copy("a", "train", "happy"), Copy("b", "eval", "sad")]
    verdict = resolve_copies(copies)
    assert verdict.rejections == [Rejection.ALSO_IN_EVAL, None]
    assert verdict.train_in_eval


def test_conflicting_train_copies_are_all_dropped() -> None:
    copies = [Copy(n, "train", label) for n, label in (("a", "x"), ("b", "x"), ("c", "y"))]
    verdict = resolve_copies(copies)
    assert verdict.rejections == [Rejection.CONFLICTING_LABELS] * 3
    assert verdict.train_conflict


def test_copies_and_conflicts_in_eval_are_told() -> None:
    verdict = resolve_copies([Copy("a", "eval", "x"), Copy("b", "eval", "y")])
    assert verdict.rejections == [None, None]
    assert verdict.eval_copies
    assert verdict.eval_conflict


@given(GROUPS)
def test_eval_is_never_thinned(copies: list[Copy]) -> None:
    held_out = [copy for copy in copies if copy.split == "eval"]
    assert [copy for copy in kept(copies) if copy.split == "eval"] == held_out


@given(GROUPS)
def test_at_most_one_train_copy_stays_and_none_beside_eval(copies: list[Copy]) -> None:
    train = [copy for copy in kept(copies) if copy.split == "train"]
    assert len(train) <= 1
    if train:
        assert all(copy.split == "train" for copy in copies)
        assert {copy.label for copy in copies} == {train[0].label}


@given(GROUPS)
def test_train_loses_an_image_only_to_eval_or_to_a_conflict(copies: list[Copy]) -> None:
    if not kept(copies):
        assert len({copy.label for copy in copies}) > 1


@given(GROUPS.flatmap(lambda copies: st.tuples(st.just(copies), st.permutations(copies))))
def test_the_order_of_copies_does_not_matter(both: tuple[list[Copy], list[Copy]]) -> None:
    copies, shuffled = both
    assert set(kept(copies)) == set(kept(shuffled))
    assert resolve_copies(copies)[1:] == resolve_copies(shuffled)[1:]


@given(GROUPS)
def test_resolving_again_changes_nothing(copies: list[Copy]) -> None:
    once = kept(copies)
    if once:
        assert kept(once) == once


@given(GROUPS)
def test_unlabelled_images_all_stay(copies: list[Copy]) -> None:
    unlabelled = [Copy(copy.name, "unlabelled", None) for copy in copies]
    assert kept(unlabelled) == unlabelled
