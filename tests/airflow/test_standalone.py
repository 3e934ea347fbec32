"""Whole runs under a running `airflow standalone`: `make test-airflow`, 15 to 30 minutes.

The pipeline runs on a small drawn sample, in the place of a first span. One run is scheduled,
and another triggered as it starts; the Trainer of the first is killed; a new span starts a third.
"""

import contextlib
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import REPOSITORY
from pipeline.drawn_sample import draw_archive
from pipeline.node.compiled import CompiledPipeline
from pipeline.workspace import Workspace
from tests.airflow.airflow_environment import AIRFLOW, PYTHON, needs_airflow

pytestmark = [
    needs_airflow,
    pytest.mark.skipif(
        not os.environ.get("RUN_AIRFLOW"),
        reason="takes 15 minutes or more; make test-airflow runs it",
    ),
    pytest.mark.timeout(7200),
]

SMALL = (
    "train.epochs=1",
    "train.batch_size=16",
    "train.filters=[8, 16]",
    "train.jit_compile=false",
    "validate.skew=1",
    "evaluate.accuracy=0",
    "evaluate.class_recall=0",
    "evaluate.accuracy_change=-1",
    "robustness.images=0",
    "serving_check.server=off",
    "edge.representative_images=10",
    "edge.max_accuracy_drop=1",
    "airflow.retry_delay_s=5",
)
PATIENCE_S = 3000.0


class Airflow:
    """A client of Airflow's REST API."""

    def __init__(self, home: Path, port: int, dag_id: str) -> None:
        self.home, self.port, self._dag_id = home, port, dag_id
        self._token = ""

    def sign_in(self) -> bool:
        """With the password that the simple auth manager has written down."""
        file = self.home / "simple_auth_manager_passwords.json.generated"
        ((user, password),) = json.loads(file.read_text()).items()
        told = self._call("POST", "/auth/token", {"username": user, "password": password})
        self._token = told["access_token"]
        return True

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call about the DAG."""
        return self._call(method, f"/api/v2/dags/{self._dag_id}{path}", body)

    def run(self, run_type: str) -> dict[str, Any] | None:
        """The first run of a type, if there is one yet."""
        runs = self.call("GET", "/dagRuns?order_by=run_after")["dag_runs"]
        return next((run for run in runs if run["run_type"] == run_type), None)

    def tasks(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The tasks of a run by their id."""
        quoted = urllib.parse.quote(run_id)
        found = self.call("GET", f"/dagRuns/{quoted}/taskInstances?limit=100")
        return {task["task_id"]: task for task in found["task_instances"]}

    def log(self, run_id: str, task: str, attempt: int) -> str:
        """What a task's page shows: its lines, and the errors that ended it."""
        quoted = urllib.parse.quote(run_id)
        path = f"/dagRuns/{quoted}/taskInstances/{task}/logs/{attempt}"
        told = []
        for line in self.call("GET", path)["content"]:
            errors = line.get("error_detail") or []
            told += [str(line["event"]), *(str(error["exc_value"]) for error in errors)]
        return "\n".join(told)

    def _call(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Authorization": f"Bearer {self._token}",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())


def _wait(what: str, ready: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError, OSError, StopIteration):
            if found := ready():
                return found
        time.sleep(2.0)
    raise AssertionError(f"{what} did not come about in {patience_s:.0f} s")


def _free_ports() -> int:
    """The first of three ports in a row that nobody uses."""
    for port in range(28080, 29080, 3):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for one in range(port, port + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", one))
            return port
    raise AssertionError("no free ports")


def _land(folder: Path, span: int) -> None:
    """Draws an archive aside and moves it to where spans land."""
    aside = folder / f"span-{span}.zip"
    draw_archive(aside, train_per_class=16, eval_per_class=4, seed=span, size=48)
    landed = folder / f"span-{span}" / "archive.zip"
    landed.parent.mkdir()
    aside.rename(landed)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledPipeline:
    """The pipeline on a first span, to be scheduled once in a few minutes."""
    folder = tmp_path_factory.mktemp("pipeline")
    _land(folder, 1)
    soon = datetime.now(UTC) + timedelta(minutes=4)
    command = [
        *(sys.executable, "-m", "pipeline.node", "compile"),
        f"--workspace={folder / 'workspace'}",
        f"--data={folder}/span-{{SPAN}}/archive.zip",
        *(f"--set={one}" for one in (*SMALL, f"airflow.schedule={soon:%M %H} * * *")),
    ]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=600)
    return CompiledPipeline.read(folder / "workspace" / "pipeline.json")


@pytest.fixture(scope="module")
def airflow(
    compiled: CompiledPipeline, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    """Airflow, as `make airflow` starts it, with the DAG switched on."""
    home = tmp_path_factory.mktemp("home")
    port = _free_ports()
    command = [
        *(str(PYTHON), str(AIRFLOW / "standalone.py")),
        *(f"--home={home}", f"--pipeline={compiled.workspace / 'pipeline.json'}"),
        f"--port={port}",
    ]
    with (home / "standalone.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    client = Airflow(home, port, compiled.name)
    try:
        _wait("Airflow", client.sign_in)
        _wait("the DAG", lambda: client.call("GET", "")["dag_id"])
        client.call("PATCH", "", {"is_paused": False})
        yield client
    finally:
        process.terminate()
        process.wait(120)


@pytest.fixture(scope="module")
def runs(airflow: Airflow, compiled: CompiledPipeline) -> dict[str, dict[str, Any]]:
    """A scheduled run and one triggered meanwhile, ended; the first's Trainer has been killed."""
    scheduled = _wait("a scheduled run", lambda: airflow.run("scheduled"))["dag_run_id"]
    body = {"logical_date": None, "conf": {"train_epochs": 2}}
    airflow.call("POST", "/dagRuns", body)
    node = _wait("the Trainer", lambda: _process_of("--node=Trainer", scheduled))
    _wait("its training", lambda: list((compiled.workspace / "checkpoints").glob("*/*")))
    os.kill(node, signal.SIGKILL)

    return {run_type: _ended(airflow, run_type) for run_type in ("scheduled", "manual")}


def _ended(airflow: Airflow, run_type: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run = airflow.run(run_type)
        return run if run is not None and run["state"] in ("success", "failed") else None

    run: dict[str, Any] = _wait(f"the end of the {run_type} run", look)
    return run


def _process_of(*arguments: str) -> int | None:
    """Id of the process whose command line holds all arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().decode(errors="replace")
            if "pipeline.node" in line and all(argument in line for argument in arguments):
                return int(process.name)
    return None


def test_edges_are_the_pipelines(airflow: Airflow, compiled: CompiledPipeline) -> None:
    tasks = airflow.call("GET", "/tasks")["tasks"]
    edges = {(task["task_id"], after) for task in tasks for after in task["downstream_task_ids"]}
    assert {edge for edge in edges if edge[1] != "Report"} == {
        (upstream, node.id) for node in compiled.nodes for upstream in node.upstream
    }


def test_a_triggered_and_a_scheduled_run_end_in_a_pushed_model(
    airflow: Airflow, compiled: CompiledPipeline, runs: dict[str, dict[str, Any]]
) -> None:
    ended = {run_type: run["state"] for run_type, run in runs.items()}
    assert ended == {"scheduled": "success", "manual": "success"}
    for run in runs.values():
        states = {task["state"] for task in airflow.tasks(run["dag_run_id"]).values()}
        assert states == {"success"}
        assert "Pushed SavedModel version" in airflow.log(run["dag_run_id"], "Report", 1)
    versions = [path.name for path in Workspace(compiled.workspace).serving("expression").iterdir()]
    assert len([name for name in versions if name.isdigit()]) == 2


def test_a_killed_task_is_tried_again_and_goes_on(
    airflow: Airflow, runs: dict[str, dict[str, Any]]
) -> None:
    run_id = runs["scheduled"]["dag_run_id"]
    trainer = airflow.tasks(run_id)["Trainer"]
    assert (trainer["state"], trainer["try_number"]) == ("success", 2)
    assert "Trainer was ended by signal 9" in airflow.log(run_id, "Trainer", 1)
    assert "Trainer is done" in airflow.log(run_id, "Trainer", 2)


def test_a_param_of_the_run_reaches_its_component(
    airflow: Airflow, runs: dict[str, dict[str, Any]]
) -> None:
    assert "epoch 1/1" in airflow.log(runs["scheduled"]["dag_run_id"], "Trainer", 2)
    assert "epoch 2/2" in airflow.log(runs["manual"]["dag_run_id"], "Trainer", 1)


def test_two_runs_at_once_leave_sound_metadata(
    airflow: Airflow, compiled: CompiledPipeline, runs: dict[str, dict[str, Any]]
) -> None:
    assert runs["manual"]["queued_at"] < runs["scheduled"]["end_date"], "they did not meet"
    spans = sorted(
        (task["start_date"], task["end_date"])
        for run in runs.values()
        for task in airflow.tasks(run["dag_run_id"]).values()
    )
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start, "two tasks had the metadata at once"
    with contextlib.closing(sqlite3.connect(compiled.workspace / "metadata.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        # 3 is COMPLETE, 5 CACHED, and 4 FAILED, which a resolver is that finds nothing.
        states = database.execute("SELECT last_known_state, count(*) FROM Execution GROUP BY 1")
        found = dict(states.fetchall())
    assert set(found) <= {3, 4, 5}
    assert sum(found.values()) == 2 * len(compiled.nodes)


def test_a_new_span_starts_a_run(
    airflow: Airflow, compiled: CompiledPipeline, runs: dict[str, dict[str, Any]]
) -> None:
    assert airflow.run("asset_triggered") is None
    _land(compiled.workspace.parent, 2)
    run = _wait("a run for the new span", lambda: airflow.run("asset_triggered"), 600.0)
    assert run["state"] in ("queued", "running")
