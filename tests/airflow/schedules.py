"""Schedules that both the setting `airflow.schedule` and Airflow take."""

KNOWN = [
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@quarterly",
    "@yearly",
    "@annually",
    "0 3 * * *",
    "05 03 * * *",
    "*/15 8-18 * * mon-fri",
    "0,30 22-2/2 1,15 JAN,jul-sep 0-7",
    "0 0 L * ?",
    "0 0 ? * sun#1,mon#3",
    "0 0 * * L5",
]
