"""The setting `airflow.schedule` takes what Airflow takes, and tells a mistake when it is made."""

import pytest

from pipeline import config
from pipeline.errors import UserError
from tests.airflow.schedules import KNOWN


def _refusal(schedule: str) -> str:
    with pytest.raises(UserError) as refused:
        config.load(assignments=[f"airflow.schedule={schedule}"])
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"The setting airflow.schedule can't be {schedule!r}")
    return line


@pytest.mark.parametrize("schedule", KNOWN)
def test_a_schedule_is_five_cron_fields_or_a_preset(schedule: str) -> None:
    settings = config.load(assignments=[f"airflow.schedule={schedule}"])
    assert settings.airflow.schedule == schedule


def test_an_empty_schedule_is_never() -> None:
    assert config.load(assignments=["airflow.schedule="]).airflow.schedule == ""
    assert config.load(assignments=["airflow.schedule='  '"]).airflow.schedule == ""


def test_spaces_beside_a_preset_do_not_make_it_another() -> None:
    assert config.load(assignments=["airflow.schedule=' @daily '"]).airflow.schedule == "@daily"


@pytest.mark.parametrize(
    "schedule",
    [
        "every day",
        "@never",
        "@once",
        "@daily @hourly",
        "0 3 * *",
        "0 0 3 * * *",  # As Kubeflow has it, with seconds.
    ],
)
def test_another_form_is_told_the_forms_that_there_are(schedule: str) -> None:
    told = _refusal(schedule)
    assert "five cron fields, such as '0 3 * * *'" in told
    assert "@daily" in told


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("60 3 * * *", "'60' is not a minute"),
        ("0 24 * * *", "'24' is not an hour"),
        ("0 3 0 * *", "'0' is not a day of the month"),
        ("0 3 * 13 *", "'13' is not a month"),
        ("0 3 * * monday", "'monday' is not a day of the week"),
        ("*/0 3 * * *", "'*/0' is not a minute"),
        ("1,,2 3 * * *", "'1,,2' is not a minute"),
        ("٣ 3 * * *", "'٣' is not a minute"),
    ],
)
def test_a_field_that_is_none_is_told_by_its_name(schedule: str, told: str) -> None:
    assert _refusal(schedule).endswith(f"{told} of cron's.")
