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
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAYS = "sun|mon|tue|wed|thu|fri|sat"


def _one(low: int, high: int, words: str = "") -> str:
    numbers = "|".join(f"0?{number}" for number in range(low, high + 1))
    return f"(?:{numbers}|{words})" if words else f"(?:{numbers})"


def _listed(one: str) -> str:
    """Pattern of `*`, a value or a range, each with a step or without, or a list of them."""
    item = rf"(?:\*|{one}(?:-{one})?)(?:/[1-9]\d?)?"
    return f"{item}(?:,{item})*"


_WEEKDAY = _one(0, 7, _WEEKDAYS)
# Beyond what every cron knows: the second Monday of a month, or its last Friday, `L5`.
_NTH = f"(?:{_WEEKDAY}#[1-5]|l[0-7])"
_FIELDS = {
    "a minute": _listed(_one(0, 59)),
    "an hour": _listed(_one(0, 23)),
    "a day of the month": rf"{_listed(_one(1, 31))}|\?|l",
    "a month": _listed(_one(1, 12, _MONTHS)),
    "a day of the week": rf"{_listed(_WEEKDAY)}|\?|{_NTH}(?:,{_NTH})*",
}


def parse(schedule: str) -> str:
    """The schedule as Airflow reads it; an empty text is never.

    Raises:
      ValueError: Airflow would not take it.
    """
    fields = schedule.split()
    if not fields or (len(fields) == 1 and fields[0] in _PRESETS):
        return "".join(fields)
    refused = f"The setting airflow.schedule can't be {schedule!r}"
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{refused}: it takes five cron fields, such as '0 3 * * *', or one of "
            f"{', '.join(_PRESETS)}, or an empty text for never"
        )
    for (name, pattern), field in zip(_FIELDS.items(), fields, strict=True):
        if not re.fullmatch(pattern, field, re.ASCII | re.IGNORECASE):
            raise ValueError(f"{refused}: {field!r} is not {name} of cron's")
    return " ".join(fields)
