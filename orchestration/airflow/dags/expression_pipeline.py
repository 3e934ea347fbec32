"""The pipeline as a DAG, made of the compiled pipeline without importing TFX.

The environment variable `EXPRESSION_PIPELINE` names the file that `python -m pipeline.node compile`
has written.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    Param,
)
from arrival import ArrivalTrigger
from node_operator import NodeOperator

WATCH_INTERVAL_S = 30.0


def make_dag(path: Path) -> DAG:
    """One task for each node of the compiled pipeline, and one that tells the outcome."""
    compiled = _read(path)
    settings = compiled["settings"]["airflow"]
    dag = DAG(
        dag_id=compiled["name"],
        description="Archive of face images to a gated, pushed model.",
        schedule=_schedule(compiled, settings),
        catchup=False,
        # Runs share the workspace: one that starts while another runs waits for its end.
        max_active_runs=1,
        # SQLite takes one writer.
        max_active_tasks=16 if compiled["parallel"] else 1,
        params={one["name"]: _param(one, compiled["values"]) for one in compiled["parameters"]},
        default_args={
            "retries": settings["retries"],
            "retry_delay": timedelta(seconds=settings["retry_delay_s"]),
            "execution_timeout": timedelta(minutes=settings["timeout_min"]),
            "pool": settings["pool"],
        },
        tags=["tfx"],
    )
    with dag:
        tasks = {
            node["id"]: NodeOperator(
                task_id=node["id"],
                task_display_name=f"{node['id']} (gate)" if node["gate"] else node["id"],
                command=[*compiled["program"], "run", f"--ir={path}", f"--node={node['id']}"],
                directory=compiled["directory"],
                parameters=compiled["parameters"],
            )
            for node in compiled["nodes"]
        }
        report = NodeOperator(
            task_id="Report",
            command=[*compiled["program"], "report", f"--ir={path}"],
            directory=compiled["directory"],
            skip_not_blessed=settings["not_blessed"] == "skip",
        )
        for node in compiled["nodes"]:
            for upstream in node["upstream"]:
                tasks[upstream] >> tasks[node["id"]]
        for task in tasks.values():
            if not task.downstream_task_ids:
                task >> report
    return dag


def _schedule(compiled: dict[str, Any], settings: dict[str, Any]) -> Any:
    """By the clock, by new data, by both or by neither."""
    clock = settings["schedule"] and CronTriggerTimetable(settings["schedule"], timezone="UTC")
    if compiled["watch"] is None:
        return clock or None
    trigger = ArrivalTrigger(
        pattern=compiled["watch"],
        state=str(Path(compiled["workspace"], "arrivals.json")),
        interval_s=WATCH_INTERVAL_S,
    )
    landed = Asset(
        f"{compiled['name']}-data",
        watchers=[AssetWatcher(name=f"{compiled['name']}-data", trigger=trigger)],
    )
    return AssetOrTimeSchedule(timetable=clock, assets=[landed]) if clock else [landed]


def _param(parameter: dict[str, Any], values: dict[str, Any]) -> Param:
    return Param(
        values[parameter["name"]], type=parameter["type"], description=parameter["description"]
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        compiled: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuntimeError(
            f"The compiled pipeline {path} can't be read ({error.strerror}); write it with "
            "python -m pipeline.node compile, and name it in EXPRESSION_PIPELINE."
        ) from None
    return compiled


dag = make_dag(Path(os.environ.get("EXPRESSION_PIPELINE", "workspace/pipeline.json")).absolute())
