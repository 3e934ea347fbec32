"""The setting `airflow.schedule` takes what Airflow takes, and tells a mistake when it is made."""

import pytest

from pipeline import config
from pipeline.errors import UserError
from tests.airflow.schedules import KNOWN


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
        "٣ 3 * * *",
        "0 0 3 * * *",  # As Kubeflow has it, with seconds.
    ],
)
def test_another_form_is_told_the_forms_that_there_are(schedule: str) -> None:
    with pytest.raises(UserError) as refused:
        config.load(assignments=[f"airflow.schedule={schedule}"])
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"The setting airflow.schedule can't be {schedule!r}")
    assert "five cron fields, such as '0 3 * * *'" in line
    assert "@daily" in line
