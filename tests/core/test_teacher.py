"""Which version `train.teacher` means."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import config
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.teacher import check_teacher, with_found_teacher
from pipeline.train_record import read_train_settings, write_train_settings
from tests.core.pushed import push


def _find(path: Path) -> tuple[str | None, str]:
    settings, fingerprint = with_found_teacher(TrainSettings(teacher=str(path)))
    return settings.teacher, fingerprint


def test_none_is_asked_for_by_default() -> None:
    assert with_found_teacher(TrainSettings()) == (TrainSettings(), "")


@pytest.mark.parametrize("empty", ["", "''"])
def test_an_empty_text_leaves_a_profiles_teacher_out(empty: str) -> None:
    settings = config.load(profile="edge", assignments=[f"train.teacher={empty}"])
    assert with_found_teacher(settings.train) == (settings.train, "")


def test_a_folder_of_versions_means_the_newest(tmp_path: Path) -> None:
    push(tmp_path / "9", "old")
    fingerprint = push(tmp_path / "10", "new")
    assert _find(tmp_path) == (str(tmp_path / "10"), fingerprint)


def test_a_version_means_itself(tmp_path: Path) -> None:
    fingerprint = push(tmp_path / "9", "old")
    push(tmp_path / "10", "new")
    assert _find(tmp_path / "9") == (str(tmp_path / "9"), fingerprint)


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(tmp_path / "models" / "1", "one")
    monkeypatch.chdir(tmp_path)
    assert _find(Path("models"))[0] == str(tmp_path / "models" / "1")


def test_the_model_that_ships_in_the_project_goes_by_its_place_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = config.load(profile="edge").train
    found, fingerprint = with_found_teacher(settings)
    assert found.teacher == settings.teacher
    assert len(fingerprint) == 64


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is not the folder of a pushed SavedModel"):
        _find(tmp_path / name)


def test_a_name_too_long_for_the_system_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.teacher, .*, can't be read: File name too long"):
        _find(tmp_path / ("x" * 300))


def test_a_folder_that_is_closed_to_the_user_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", refuse)  # No folder is closed to root.
    with pytest.raises(UserError, match=r"train\.teacher, .*, can't be read: Permission denied"):
        _find(tmp_path)


def test_an_int8_model_with_its_card_beside_it_may_teach(tmp_path: Path) -> None:
    fingerprint = push(tmp_path / "shipped", "one", "model_int8.tflite")
    (tmp_path / "shipped" / "README.md").write_text("For clients.")
    assert _find(tmp_path / "shipped") == (str(tmp_path / "shipped"), fingerprint)


def test_an_int8_model_cannot_be_softened(tmp_path: Path) -> None:
    push(tmp_path / "1", "one", "model_int8.tflite")
    settings = TrainSettings(teacher=str(tmp_path), distillation_temperature=2.0)
    with pytest.raises(UserError, match="cannot be softened"):
        with_found_teacher(settings)


def test_a_model_that_nobody_pushed_is_refused(tmp_path: Path) -> None:
    push(tmp_path / "1", "one", "labels.txt")
    (tmp_path / "1" / "model_int8.tflite").write_text("smuggled in")
    with pytest.raises(UserError, match="is not as it was pushed: model_int8"):
        _find(tmp_path)


def test_another_model_where_the_training_runs_is_refused(tmp_path: Path) -> None:
    push(tmp_path / "1", "one")
    found = with_found_teacher(TrainSettings(teacher=str(tmp_path)))
    check_teacher(*found)
    (tmp_path / "1").rename(tmp_path / ".retired-1")
    push(tmp_path / "1", "another")
    with pytest.raises(UserError, match="is another model here than where the pipeline was"):
        check_teacher(*found)


def test_a_model_of_the_project_is_checked_there_wherever_the_training_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = with_found_teacher(config.load(profile="edge").train)
    push(tmp_path / str(found[0].teacher), "another project's")
    monkeypatch.chdir(tmp_path)
    check_teacher(*found)


def test_a_model_that_has_changed_since_is_refused(tmp_path: Path) -> None:
    push(tmp_path / "1", "one")
    (tmp_path / "1" / "saved_model.pb").write_text("two")
    with pytest.raises(UserError, match="is not as it was pushed: saved_model"):
        _find(tmp_path)


def test_a_training_is_recorded_with_the_fingerprint_of_its_teacher_and_no_path(
    tmp_path: Path,
) -> None:
    fingerprint = push(tmp_path / "models" / "1", "one")
    found = with_found_teacher(TrainSettings(teacher=str(tmp_path / "models")))
    write_train_settings(tmp_path, *found)
    recorded = read_train_settings(tmp_path)
    assert recorded["teacher"] == fingerprint
    assert str(tmp_path) not in str(recorded)
