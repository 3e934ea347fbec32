"""The setting `airflow.schedule`: when Airflow starts a run by the clock."""

import re

_PRESETS = (
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@quarterly",
    "@yearly",
    "@annually",
)
_FIELDS = 5
_FIELD = re.compile(r"[0-9a-z*/,\-#?]+", re.IGNORECASE)


def parse(schedule: str) -> str:
    """The schedule as Airflow reads it; an empty text is never.

    What a field may hold is Airflow's to say, when it reads the DAG.

    Raises:
      ValueError: It has another form than Airflow's.
    """
    fields = schedule.split()
    is_preset = len(fields) == 1 and fields[0] in _PRESETS
    is_cron = len(fields) == _FIELDS and all(map(_FIELD.fullmatch, fields))
    if fields and not (is_preset or is_cron):
        raise ValueError(
            f"The setting airflow.schedule can't be {schedule!r}: it takes five cron fields, such "
            f"as '0 3 * * *', or one of {', '.join(_PRESETS)}, or an empty text for never"
        )
    return " ".join(fields)
