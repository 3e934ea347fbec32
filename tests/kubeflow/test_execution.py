"""The compiled job, executed: each task's exact command, with the input that kfp makes for it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from kfp import local

from orchestration.kubeflow.command_line import main
from tests.kubeflow.executed import TINY, Processes, invocation_of, run_as_process, run_job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class _Ran(NamedTuple):
    workspace: Path
    processes: Processes


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Ran]:
    """A run of the whole pipeline on a tiny drawn sample."""
    root = tmp_path_factory.mktemp("kubeflow")
    workspace, file = root / "workspace", root / "pipeline.yaml"
    arguments = ["--output", str(file), "--set", f"kubeflow.workspace={workspace}", *TINY]
    assert main(["compile", *arguments]) == 0
    processes = Processes()
    with pytest.MonkeyPatch.context() as monkeypatch:
        processes.install(monkeypatch)
        run_job(str(file), str(root / "pipeline_root"), local.DockerRunner())
    yield _Ran(workspace, processes)


def test_the_whole_job_ends_in_pushed_models(ran: _Ran) -> None:
    assert len(ran.processes.commands) == 20
    version = ran.workspace / "serving" / "expression" / "1"
    assert (version / "saved_model.pb").exists()
    assert json.loads((version / "manifest.json").read_text())["data"]["counts"]["read"] == 84
    edge = ran.workspace / "edge" / "expression" / "1"
    assert {"model_float32.tflite", "model_int8.tflite"} <= {file.name for file in edge.iterdir()}


def test_the_next_run_is_measured_against_what_this_one_left(ran: _Ran, tmp_path: Path) -> None:
    resolver = ran.processes.command_with(".resolver", "/LatestBlessedModel")
    assert run_as_process(resolver).returncode == 0
    found = json.loads(Path(invocation_of(resolver)["outputs"]["outputFile"]).read_text())
    evaluator = ran.processes.command_with("tfx.components.evaluator.executor.Executor")
    invocation = invocation_of(evaluator)
    assert invocation["inputs"]["artifacts"]["baseline_model"]["artifacts"][0]["metadata"] == {
        "found": 0.0
    }
    invocation["inputs"]["artifacts"]["baseline_model"] = found["artifacts"]["model"]
    baseline = found["artifacts"]["model"]["artifacts"][0]["uri"]
    output = tmp_path / "output.json"
    invocation["outputs"]["outputFile"] = str(output)
    evaluator[evaluator.index("--json_serialized_invocation_args") + 1] = json.dumps(invocation)
    done = run_as_process(evaluator)
    assert done.returncode == 0, done.stdout
    (blessing,) = json.loads(output.read_text())["artifacts"]["blessing"]["artifacts"]
    assert blessing["metadata"]["baseline_model"] == baseline
