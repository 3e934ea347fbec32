"""What becomes of a task by the node's exit code, and when data count as landed."""

import json
from pathlib import Path

from tests.airflow.airflow_environment import needs_airflow, run_inside

pytestmark = needs_airflow


def test_exit_codes_decide_how_a_task_ends(tmp_path: Path) -> None:
    code = """
from node_operator import NodeOperator
told = {}
for name, end, skip in (
    ("done", "sys.exit(0)", False),
    ("mistake", "sys.exit(1)", False),
    ("anomalies", "sys.exit(2)", False),
    ("not blessed", "sys.exit(3)", False),
    ("not blessed, to be skipped", "sys.exit(3)", True),
    ("failure", "sys.exit(4)", False),
    ("killed", "os.kill(os.getpid(), 9)", False),
):
    program = f"import os, sys; print('why', flush=True); {end}"
    task = NodeOperator(
        task_id="Node",
        command=[sys.executable, "-c", program],
        directory="/",
        skip_not_blessed=skip,
    )
    try:
        task.execute({"run_id": "monday", "params": {}})
        told[name] = "success"
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
"""
    why = "The model was not blessed; the log above says why."
    assert run_inside(tmp_path, code) == {
        "done": "success",
        # AirflowFailException is the failure that is not tried again.
        "mistake": "AirflowFailException: why",
        "anomalies": "AirflowFailException: why",
        "not blessed": f"AirflowFailException: {why}",
        "not blessed, to be skipped": f"AirflowSkipException: {why}",
        "failure": "AirflowException: why",
        "killed": "AirflowException: Node was ended by signal 9.",
    }


def test_the_node_is_given_airflows_run_id_and_the_params(tmp_path: Path) -> None:
    code = """
import os
from node_operator import NodeOperator
program = "import json, os, sys; json.dump([sys.argv[1:], os.getcwd()], open('called', 'w'))"
task = NodeOperator(
    task_id="Node",
    command=[sys.executable, "-c", program, "run"],
    directory=os.getcwd(),
    parameters=[{"name": "epochs", "option": "--set=train.epochs="}],
)
task.execute({"run_id": "manual__2026-11-25T00:00:00+00:00", "params": {"epochs": "1; rm -r /"}})
told = None
"""
    run_inside(tmp_path, code)
    arguments, folder = json.loads((tmp_path / "called").read_text())
    assert arguments == [
        "run",
        "--run-id=manual__2026-11-25T00:00:00+00:00",
        "--set=train.epochs=1; rm -r /",
    ]
    assert folder == str(tmp_path)


_WATCH = """
import asyncio, pathlib
import arrival

async def watch(steps, pattern="{0}/*/archive.zip"):
    # Between two looks, the next step happens to the folder; then the watch is over.
    async def sleep(seconds):
        if not steps:
            raise asyncio.CancelledError
        steps.pop(0)()

    arrival.asyncio.sleep = sleep
    trigger = arrival.ArrivalTrigger(pattern=pattern, state="{0}/state", interval_s=1.0)
    name, arguments = trigger.serialize()
    assert name == "arrival.ArrivalTrigger"
    fired = []
    try:
        async for event in arrival.ArrivalTrigger(**arguments).run():
            fired.append(event.payload["landed"])
    except asyncio.CancelledError:
        pass
    return fired

def nothing():
    pass

def put(span, text):
    def step():
        path = pathlib.Path("{0}", span, "archive.zip")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return step

def remove(span):
    return pathlib.Path("{0}", span, "archive.zip").unlink
"""


def test_data_have_landed_when_they_are_others_and_no_longer_change(tmp_path: Path) -> None:
    code = (
        _WATCH.format(tmp_path)
        + """
put("1", "old")()
told = [
    asyncio.run(watch([nothing, nothing])),
    asyncio.run(watch([put("2", "ha"), put("2", "half"), put("2", "whole"), nothing, nothing])),
    asyncio.run(watch([put("1", "other"), nothing, nothing])),
]
"""
    )
    assert run_inside(tmp_path, code) == [
        [],  # What was there when the watch began.
        [[f"{tmp_path}/2/archive.zip"]],
        [[f"{tmp_path}/1/archive.zip"]],
    ]


def test_data_that_land_while_airflow_is_down_are_told_of_later(tmp_path: Path) -> None:
    code = (
        _WATCH.format(tmp_path)
        + """
told = [asyncio.run(watch([nothing, nothing]))]
put("1", "new")()
told += [asyncio.run(watch([nothing, nothing])), asyncio.run(watch([nothing, nothing]))]
"""
    )
    assert run_inside(tmp_path, code) == [[], [[f"{tmp_path}/1/archive.zip"]], []]


def test_data_that_are_gone_start_no_run(tmp_path: Path) -> None:
    code = (
        _WATCH.format(tmp_path)
        + """
put("1", "one")()
put("2", "two")()
told = [
    asyncio.run(watch([nothing, remove("1"), nothing, nothing])),
    asyncio.run(watch([put("3", "three"), nothing, nothing])),
]
"""
    )
    assert run_inside(tmp_path, code) == [[], [[f"{tmp_path}/3/archive.zip"]]]


def test_what_was_there_when_another_path_is_first_watched_is_no_news(tmp_path: Path) -> None:
    code = (
        _WATCH.format(tmp_path)
        + f"""
put("a", "one")()
put("b", "two")()
a, b = "{tmp_path}/a/archive.zip", "{tmp_path}/b/archive.zip"
told = [
    asyncio.run(watch([nothing, nothing], a)),
    asyncio.run(watch([nothing, nothing, put("b", "other"), nothing, nothing], b)),
]
"""
    )
    assert run_inside(tmp_path, code) == [[], [[f"{tmp_path}/b/archive.zip"]]]


def test_a_state_of_another_form_is_a_first_look(tmp_path: Path) -> None:
    code = (
        _WATCH.format(tmp_path)
        + """
put("1", "old")()
told = []
for state in ('{"/faces/1/archive.zip": [3, 1]}', "[]", '{"pattern"', ""):
    pathlib.Path("state").write_text(state)
    told.append(asyncio.run(watch([nothing, nothing, put("1", state), nothing, nothing])))
"""
    )
    assert run_inside(tmp_path, code) == [[[f"{tmp_path}/1/archive.zip"]]] * 4
