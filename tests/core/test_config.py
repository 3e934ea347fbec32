"""Settings: documented, bounded, layered, and refused in one clear sentence."""

from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from pipeline import config
from pipeline.errors import UserError


def _value(settings: config.Settings, name: str) -> Any:
    value: Any = config.as_dict(settings)
    for key in name.split("."):
        value = value[key]
    return value


def _refusal(*assignments: str, **kwargs: Any) -> str:
    with pytest.raises(UserError) as refused:
        config.load(assignments=assignments, **kwargs)
    return str(refused.value)


def _bounds(field: Any) -> tuple[float, float]:
    """Smallest and largest accepted whole number; infinite where there is no bound."""
    low, high = _limits(field)
    strict = {type(rule) for rule in field.metadata}
    return low + (annotated_types.Gt in strict), high - (annotated_types.Lt in strict)


def _limits(field: Any) -> tuple[float, float]:
    """The numbers that a setting's rules name; infinite where there is no rule."""
    low, high = float("-inf"), float("inf")
    for rule in field.metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high


_INTEGERS = {name: field for name, field in config.names().items() if field.annotation is int}
_FLOATS = {name: field for name, field in config.names().items() if field.annotation is float}
# Two settings that are also held against other settings, below.
_ALONE = sorted(set(_INTEGERS) - {"image.size", "data.min_side", "data.max_side"})


@pytest.mark.parametrize("name", config.names())
def test_every_setting_says_what_it_means(name: str) -> None:
    description = config.names()[name].description
    assert description, name
    assert description.endswith("."), name


def test_settings_are_named_as_users_write_them() -> None:
    assert {"train.epochs", "evaluate.accuracy", "push.keep_versions", "validate.drift"} <= set(
        config.names()
    )
    assert "train.augment.flip" in config.names()


def test_the_defaults_hold_themselves_to_the_rules() -> None:
    settings = config.load()
    assert config.Settings.model_validate(config.as_dict(settings)) == settings


@pytest.mark.parametrize("profile", config.profiles())
def test_every_profile_is_valid(profile: str) -> None:
    config.load(profile)


def test_later_layers_win_over_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 11\nbatch_size = 32\n[evaluate]\naccuracy = 0.7\n")
    default, sample = config.load(), config.load("sample")
    assert sample.train.epochs != default.train.epochs

    from_file = config.load("sample", file)
    assert from_file.train.epochs == 11
    assert from_file.evaluate.accuracy == 0.7
    assert from_file.evaluate.class_recall == sample.evaluate.class_recall
    assert from_file.train.weight_decay == default.train.weight_decay

    assigned = config.load("sample", file, ["train.epochs=12", "train.epochs=13"])
    assert assigned.train.epochs == 13
    assert assigned.train.batch_size == 32


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("train.epochs=5", 5),
        (" train.epochs = 5 ", 5),
        ("train.learning_rate=1e-4", 1e-4),
        ("train.optimizer=sgd", "sgd"),
        ('train.optimizer="sgd"', "sgd"),
        ("train.class_weights=true", True),
        ("train.filters=[8, 16]", [8, 16]),
        ("train.augment.rotate=0", 0.0),
        ("infer.data=/some/folder", "/some/folder"),
        ("infer.data=a=b", "a=b"),
    ],
)
def test_an_assignment_is_read_as_toml_or_else_as_text(assignment: str, value: Any) -> None:
    name = assignment.partition("=")[0].strip()
    assert _value(config.load(assignments=[assignment]), name) == value


def test_an_inner_setting_leaves_its_neighbours_alone() -> None:
    changed = config.load(assignments=["train.augment.rotate=3"]).train.augment
    assert changed == config.AugmentSettings(rotate=3)


@pytest.mark.parametrize(
    ("assignment", "unknown", "meant"),
    [
        ("train.epoch=3", "train.epoch", "train.epochs"),
        ("push.keep=3", "push.keep", "push.keep_versions"),
        ("train.augment.rotation=3", "train.augment.rotation", "train.augment.rotate"),
        ("trian.epochs=3", "trian", "train"),
        ("validate_.drift=0.5", "validate_", "validate"),
    ],
)
def test_an_unknown_setting_or_section_is_told_with_the_one_that_was_meant(
    assignment: str, unknown: str, meant: str
) -> None:
    assert _refusal(assignment) == f"There is no setting {unknown}; did you mean {meant}?"


def test_an_unknown_setting_like_no_other_is_told_where_all_are_listed() -> None:
    told = _refusal("zzz.qqq=1")
    assert "zzz" in told
    assert "--settings" in told


@pytest.mark.parametrize(
    ("assignment", "name"),
    [
        ("train.epochs=0", "train.epochs"),
        ("train.epochs=many", "train.epochs"),
        ("train.epochs=1.5", "train.epochs"),
        ("train.epochs=", "train.epochs"),
        ("train.epochs=[1]", "train.epochs"),
        ("evaluate.accuracy=1.2", "evaluate.accuracy"),
        ("evaluate.accuracy=nan", "evaluate.accuracy"),
        ("train.learning_rate=inf", "train.learning_rate"),
        ("train.optimizer=lion", "train.optimizer"),
        ("train.filters=[]", "train.filters"),
        ("train.filters=[0]", "train.filters"),
        ("train.stem_stride=3", "train.stem_stride"),
        ("data.name=../up", "data.name"),
        ("data.split_aliases={dev='test'}", "data.split_aliases.dev"),
        ("train.augment=5", "train.augment"),
    ],
)
def test_a_value_that_does_not_fit_is_one_sentence_with_the_setting(
    assignment: str, name: str
) -> None:
    told = _refusal(assignment)
    assert name in told
    assert "\n" not in told
    assert told.endswith(".")


@pytest.mark.parametrize("section", ["train", "train.own_teacher"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("5", "residual_blocks can't be 5: input should be less than or equal to 4."),
        ("[1, 9]", "residual_blocks.1 can't be 9: input should be less than or equal to 4."),
        ("[]", "residual_blocks can't be []: list should have at least 1 item"),
        ("{a=1}", "residual_blocks can't be {'a': 1}: input should be a valid integer, or a "),
    ],
)
def test_a_setting_of_several_types_is_told_what_the_nearest_of_them_lacks(
    section: str, value: str, told: str
) -> None:
    (line,) = _refusal(f"{section}.residual_blocks={value}").splitlines()
    assert line.startswith(f"The setting {section}.{told}")


class _Kept(config.Section):
    epochs: Literal["all"] | Annotated[int, Field(ge=1)] | None = None


class _WithKept(config.Settings):
    kept: _Kept = Field(default_factory=_Kept)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0", "0: input should be greater than or equal to 1."),
        ("[]", "[]: input should be 'all', or a valid integer."),
    ],
)
def test_a_word_or_a_number_is_one_setting_and_not_two(
    monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    monkeypatch.setattr("pipeline.config.settings.Settings", _WithKept)
    assert _refusal(f"kept.epochs={value}") == f"The setting kept.epochs can't be {told}"


def test_each_of_several_mistakes_has_its_sentence() -> None:
    told = _refusal("train.epochs=0", "push.keep_versions=0").splitlines()
    assert len(told) == 2
    told = _refusal("train.filters=[0, 0]", "train.residual_blocks=[9, 9]").splitlines()
    assert len(told) == 4


@pytest.mark.parametrize("assignment", ["", "train.epochs", "epochs=3", "=3", "train.=3", ".a=3"])
def test_an_assignment_of_another_form_is_told_the_form(assignment: str) -> None:
    told = _refusal(assignment)
    assert "section.key=value" in told
    assert repr(assignment) in told


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none.toml") in _refusal(config_file=tmp_path / "none.toml")
    assert str(tmp_path) in _refusal(config_file=tmp_path)


@pytest.mark.parametrize("content", [b"[train\n", b"epochs = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_settings_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    told = _refusal(config_file=file)
    assert str(file) in told
    assert "not valid TOML" in told


def test_an_unknown_setting_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepoch = 3\n")
    assert "train.epoch" in _refusal(config_file=file)


def test_an_unknown_profile_is_told_with_those_there_are() -> None:
    told = _refusal(profile="best")
    assert all(name in told for name in ("best", *config.profiles()))


def test_more_stages_than_the_image_can_be_halved_are_refused() -> None:
    six = "train.filters=[4, 4, 4, 4, 4, 4]"
    assert "train.filters" in _refusal(six, "image.size=32", "train.stem_stride=2")
    config.load(assignments=[six, "image.size=32", "train.stem_stride=1"])
    config.load(assignments=[six, "image.size=64", "train.stem_stride=2"])
    small = [six, "image.size=32", "train.stem_stride=1", "train.small_first=0.5"]
    assert "an image of 21 pixels" in _refusal(*small)


def test_a_smallest_side_above_the_largest_is_refused() -> None:
    told = _refusal("data.min_side=200", "data.max_side=100")
    assert "data.min_side" in told
    assert "\n" not in told


def test_settings_can_not_be_changed_once_they_are_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().train.epochs = 3  # type: ignore[misc]


@given(st.sampled_from(_ALONE), st.data())
def test_every_whole_number_in_bounds_is_accepted(name: str, data: st.DataObject) -> None:
    low, high = _bounds(_INTEGERS[name])
    value = data.draw(st.integers(int(low), int(min(high, 2**31))))
    assert _value(config.load(assignments=[f"{name}={value}"]), name) == value


@given(st.sampled_from(sorted(_INTEGERS)), st.data())
def test_every_whole_number_out_of_bounds_is_refused(name: str, data: st.DataObject) -> None:
    low, high = _bounds(_INTEGERS[name])
    outside = st.integers(max_value=int(low) - 1)
    if high != float("inf"):
        outside |= st.integers(min_value=int(high) + 1)
    assert name in _refusal(f"{name}={data.draw(outside)}")


@given(st.sampled_from(sorted(_FLOATS)), st.floats())
def test_an_accepted_number_is_kept_and_in_bounds(name: str, value: float) -> None:
    low, high = _limits(_FLOATS[name])
    try:
        kept = _value(config.load(assignments=[f"{name}={value}"]), name)
    except UserError:
        return
    assert kept == value
    assert low <= kept <= high


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize("name", sorted(_FLOATS))
def test_no_number_is_infinite(name: str, value: str) -> None:
    told = _refusal(f"{name}={value}")
    assert told == f"The setting {name} can't be {value}: input should be a finite number."


@given(st.text())
def test_no_text_for_an_assignment_raises_anything_but_a_user_error(text: str) -> None:
    _load_or_refuse(text)


@given(
    st.sampled_from(sorted(config.names())),
    st.one_of(st.text(), st.integers().map(str), st.sampled_from("[]{}'\"\n#").map(str)),
)
def test_no_value_for_a_setting_raises_anything_but_a_user_error(name: str, text: str) -> None:
    _load_or_refuse(f"{name}={text}")


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 5000, "1979-05-27T07:32:00Z"])
def test_a_value_that_toml_itself_gives_up_on_is_refused(text: str) -> None:
    assert "train.epochs" in _refusal(f"train.epochs={text}")


def test_a_seed_that_ml_metadata_would_not_take_on_a_server_is_refused() -> None:
    config.load(assignments=[f"train.seed={2**31 - 1}"])
    assert "train.seed" in _refusal(f"train.seed={2**31}")


def _load_or_refuse(assignment: str) -> None:
    try:
        config.load(assignments=[assignment])
    except UserError as refused:
        assert str(refused)
