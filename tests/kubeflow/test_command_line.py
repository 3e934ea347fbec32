"""`kubeflow_runner.py`: what it writes, what it asks of a server, and what it says."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kfp import components

from orchestration.kubeflow.command_line import main
from pipeline.config import REPOSITORY


class _Result(NamedTuple):
    code: int
    output: str
    error: str


Run = Callable[..., _Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Calls the command line and returns what a person sees."""

    def call(*arguments: str) -> _Result:
        capfd.readouterr()
        return _Result(main(arguments), *capfd.readouterr())

    logging.disable()  # pytest's handlers, and with them absl's, go around the descriptors
    yield call
    logging.disable(logging.NOTSET)


def _refused(result: _Result) -> str:
    assert (result.code, result.output) == (1, "")
    assert len(result.error.splitlines()) == 1, result.error
    return result.error


class _Api:
    """Kubeflow Pipelines' API, as far as a submission goes; keeps what was posted to it."""

    def __init__(self) -> None:
        self.posted: dict[str, Any] = {}
        self.refusal: bytes | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, json.dumps({"multi_user": False}).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = self.path.rpartition("/")[2]
                if api.refusal is not None:
                    self._answer(400, api.refusal)
                    return
                api.posted[kind] = body
                key = {"experiments": "experiment", "runs": "run", "recurringruns": "recurring_run"}
                answer = {f"{key[kind]}_id": f"the-{key[kind]}"}
                self._answer(200, json.dumps(answer).encode())

            def _answer(self, status: int, text: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[_Api]:
    served = _Api()
    yield served
    served.close()


def test_compile_writes_a_job_that_kfp_takes(tmp_path: Path) -> None:
    path = tmp_path / "out" / "faces.yaml"
    result = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "kubeflow_runner.py"), "compile"),
            *("--output", str(path), "--set", "data.name=faces"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout, result.stderr) == (f"Written to {path}.\n", "")
    loaded = components.load_component_from_file(str(path))
    assert loaded.pipeline_spec.pipeline_info.name == "faces-drawn-sample"


def test_submit_starts_a_run(api: _Api, run: Run) -> None:
    result = run("submit", "--host", api.host, "--set", "kubeflow.pipeline_root=s3://faces")
    assert (result.code, result.error) == (0, "")
    assert result.output.endswith("Started the run the-run of expression-drawn-sample.\n")
    assert api.posted["experiments"]["display_name"] == "expression"
    posted = api.posted["runs"]
    assert posted["experiment_id"] == "the-experiment"
    assert posted["runtime_config"]["pipeline_root"] == "s3://faces"
    assert set(posted["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}


def test_submit_can_set_a_schedule_instead(api: _Api, run: Run) -> None:
    result = run("submit", "--host", api.host, "--cron", "0 0 3 * * *")
    assert (result.code, result.error) == (0, "")
    assert "as the recurring run the-recurring_run" in result.output
    recurring = api.posted["recurringruns"]
    assert recurring["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert recurring["no_catchup"] is True
    assert int(recurring["max_concurrency"]) == 1
    assert "runs" not in api.posted


def test_a_schedule_may_be_a_word(api: _Api, run: Run) -> None:
    assert run("submit", "--host", api.host, "--cron", "@daily").code == 0
    assert api.posted["recurringruns"]["trigger"]["cron_schedule"]["cron"] == "@daily"


@pytest.mark.parametrize("expression", ["0 3 * * *", "0 0 3 * * * 2026", "daily", ""])
def test_a_schedule_of_other_crons_is_refused(api: _Api, run: Run, expression: str) -> None:
    told = _refused(run("submit", "--host", api.host, "--cron", expression))
    assert repr(expression) in told
    assert "give six, seconds first" in told
    assert api.posted == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            b'{"error": "no", "code": 3, "message": "Invalid cron:\\nExpected 0 to 23, found 25."}',
            "refused the job: 400 Bad Request: Invalid cron: Expected 0 to 23, found 25.\n",
        ),
        (b"RBAC: access denied", "refused the job: 400 Bad Request: RBAC: access denied.\n"),
        (b"<html><body>Sign in</body></html>", "refused the job: 400 Bad Request.\n"),
        (b"", "refused the job: 400 Bad Request.\n"),
    ],
    ids=["of Kubeflow", "of a proxy", "a page", "nothing"],
)
def test_a_servers_refusal_is_told_with_its_reason(
    api: _Api, run: Run, body: bytes, told: str
) -> None:
    api.refusal = body
    arguments = ("submit", "--host", api.host, "--cron", "0 0 25 * * *")
    assert _refused(run(*arguments)) == f"{api.host} {told}"


def test_a_server_that_is_not_there_is_told_in_a_sentence(run: Run) -> None:
    told = _refused(run("submit", "--host", "http://127.0.0.1:9"))
    assert "can't be reached at http://127.0.0.1:9" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--help lists the options"),
        (["compile", "--set", "train.epochs=0"], "The setting train.epochs can't be 0"),
        (["compile", "--set", "data.name=a_b"], "takes no underscore"),
        (["compile", "--output", "/proc/no/pipeline.yaml"], "can't be written"),
        (["submit"], "--host"),
    ],
)
def test_mistakes_are_told_in_a_sentence(run: Run, arguments: list[str], told: str) -> None:
    assert told in _refused(run(*arguments))
