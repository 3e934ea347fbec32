"""The DAG follows the compiled pipeline and the settings, and knows nothing of TFX."""

import functools
from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.node.compiled import Node
from tests.airflow.airflow_environment import needs_airflow, run_inside
from tests.airflow.schedules import KNOWN
from tests.node.compiled_file import DATA, integer, write_compiled

pytestmark = needs_airflow

_NODES = [
    Node(id="Source", type="x.Source", upstream=[], gate=False),
    Node(id="Gate", type="x.Gate", upstream=["Source"], gate=True),
    Node(id="Left", type="x.Left", upstream=["Gate"], gate=False),
    Node(id="Right", type="x.Right", upstream=["Gate", "Source"], gate=False),
]
_DESCRIBE = """
from expression_pipeline import dag
task = dag.get_task
told = {
    "id": dag.dag_id,
    "edges": {one.task_id: sorted(one.downstream_task_ids) for one in dag.tasks},
    "catchup": dag.catchup,
    "runs": dag.max_active_runs,
    "tasks": dag.max_active_tasks,
    "timetable": type(dag.timetable).__name__,
    "params": {name: dag.params[name] for name in dag.params},
    "retries": task("Left").retries,
    "delay": task("Left").retry_delay.total_seconds(),
    "timeout": task("Left").execution_timeout.total_seconds(),
    "pool": task("Left").pool,
    "names": [task("Gate").task_display_name, task("Left").task_display_name],
    "skip": task("Report").skip_not_blessed,
    "tfx": sorted(sys.modules.keys() & {"tfx", "tensorflow", "pipeline"}),
}
"""


def _compiled(folder: Path, parallel: bool, watch: str | None, *assignments: str) -> Path:
    return write_compiled(
        folder,
        name="faces",
        watch=watch,
        parallel=parallel,
        parameters=[DATA, integer("epochs", "train.epochs")],
        values={"data": "/faces.zip", "epochs": 30, "hidden": 1},
        nodes=_NODES,
        settings=config.as_dict(config.load(assignments=assignments)),
    )


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What Airflow makes of a compiled pipeline with these settings."""

    @functools.cache
    def describe(*assignments: str, parallel: bool = False, watch: str | None = None) -> Any:
        folder = tmp_path_factory.mktemp("airflow")
        path = _compiled(folder, parallel, watch, *assignments)
        return run_inside(folder, _DESCRIBE, EXPRESSION_PIPELINE=str(path))

    return describe


def test_every_node_is_a_task_and_the_outcome_is_told_last(described: Any) -> None:
    assert described()["edges"] == {
        "Source": ["Gate", "Right"],
        "Gate": ["Left", "Right"],
        "Left": ["Report"],
        "Right": ["Report"],
        "Report": [],
    }


def test_the_dag_is_named_as_the_pipeline_and_imports_none_of_it(described: Any) -> None:
    assert described()["id"] == "faces"
    assert described()["tfx"] == []


def test_gates_are_marked_in_the_graph(described: Any) -> None:
    assert described()["names"] == ["Gate (gate)", "Left"]


def test_what_a_run_may_set_is_a_param(described: Any) -> None:
    assert described()["params"] == {"data": "/faces.zip", "epochs": 30}


def test_missed_runs_are_not_caught_up_with(described: Any) -> None:
    assert described()["catchup"] is False


def test_sqlite_takes_one_task_at_a_time_and_a_server_many(described: Any) -> None:
    assert (described()["runs"], described()["tasks"]) == (1, 1)
    assert described(parallel=True)["tasks"] > 1


def test_retries_timeouts_pool_and_verdict_are_those_of_the_settings(described: Any) -> None:
    found = described(
        "airflow.retries=5",
        "airflow.retry_delay_s=7",
        "airflow.timeout_min=3",
        "airflow.pool=gpu",
        "airflow.not_blessed=skip",
        "airflow.schedule=",
    )
    assert (found["retries"], found["delay"], found["timeout"]) == (5, 7.0, 180.0)
    assert (found["pool"], found["skip"]) == ("gpu", True)
    assert described()["skip"] is False


@pytest.mark.parametrize(
    ("schedule", "watch", "timetable"),
    [
        ("@daily", None, "CronTriggerTimetable"),
        ("", None, "NullTimetable"),
        ("", "/faces/*.zip", "AssetTriggeredTimetable"),
        ("@daily", "/faces/*.zip", "AssetOrTimeSchedule"),
    ],
)
def test_runs_start_by_the_clock_by_new_data_by_both_or_neither(
    described: Any, schedule: str, watch: str | None, timetable: str
) -> None:
    assert described(f"airflow.schedule={schedule}", watch=watch)["timetable"] == timetable


def test_airflow_takes_the_schedules_that_the_setting_takes(tmp_path: Path) -> None:
    code = (
        "from airflow.timetables.trigger import CronTriggerTimetable\n"
        f"for schedule in {KNOWN}:\n"
        "    CronTriggerTimetable(schedule, timezone='UTC').validate()\n"
        "told = 'all'\n"
    )
    assert run_inside(tmp_path, code) == "all"


def test_a_pipeline_that_was_not_compiled_is_told_of(tmp_path: Path) -> None:
    code = (
        "told = ''\n"
        "try:\n"
        "    import expression_pipeline\n"
        "except RuntimeError as error:\n"
        "    told = str(error)\n"
    )
    told = run_inside(tmp_path, code, EXPRESSION_PIPELINE=str(tmp_path / "none.json"))
    assert "pipeline.node compile" in told
    assert str(tmp_path / "none.json") in told
