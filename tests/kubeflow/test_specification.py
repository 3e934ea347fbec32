"""The compiled job: what kfp takes, and what of the pipeline and its settings is in it."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2

from orchestration.kubeflow import job
from orchestration.kubeflow.specification import Job
from pipeline import config
from pipeline.errors import UserError
from pipeline.pipeline import create_pipeline
from pipeline.workspace import Workspace

_DATA = "/workspace/data/archive.zip"
_RESOLVERS = {"LastValidatedStatistics", "LatestBlessedModel"}
_PUSHERS = {"Pusher", "EdgePusher"}
_DRIVER = "ImageExampleGen-driver"


@functools.cache
def _job(*assignments: str, data: str | None = _DATA) -> Job:
    return job.compile_pipeline(config.load(assignments=assignments), data)


def _tasks(compiled: Job) -> dict[str, Any]:
    return compiled.pipeline["root"]["dag"]["tasks"]


def _containers(compiled: Job) -> dict[str, Any]:
    executors = compiled.pipeline["deploymentSpec"]["executors"]
    return {
        label.removeprefix("exec-"): executor["container"] for label, executor in executors.items()
    }


@functools.cache
def _nodes() -> dict[str, Any]:
    pipeline = create_pipeline(config.load(), Workspace(Path("/workspace")), _DATA)
    return {node.id: node for node in pipeline.components}


def _option(arguments: Iterable[str], name: str) -> str:
    arguments = list(arguments)
    return arguments[arguments.index(name) + 1]


def test_kfp_takes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    job.write(_job(), path)
    loaded = components.load_component_from_file(str(path))
    assert loaded.pipeline_spec.schema_version == "2.1.0"
    assert set(loaded.pipeline_spec.root.dag.tasks) == set(_tasks(_job()))
    assert set(loaded.platform_spec.platforms) == {"kubernetes"}


def test_the_file_has_no_yaml_aliases(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    job.write(_job(), path)
    kinds = {type(event) for event in yaml.parse(path.read_text(), Loader=yaml.SafeLoader)}
    assert yaml.AliasEvent not in kinds


def test_every_node_is_a_task_that_runs_a_container() -> None:
    # The open-source backend has no resolvers, and runs no driver before an ExampleGen.
    tasks = _tasks(_job())
    assert set(tasks) == {*_nodes(), _DRIVER}
    assert set(_containers(_job())) == set(tasks)
    for name, container in _containers(_job()).items():
        assert container["image"] == "expression-pipeline:latest", name
        assert container["command"][:2] == ["python", "-m"], name


def test_tasks_wait_for_what_their_nodes_wait_for() -> None:
    tasks = _tasks(_job())
    for name, node in _nodes().items():
        upstream = {other.id for other in node.upstream_nodes}
        # A resolver looks for what earlier runs left, so it waits for nothing.
        expected = set() if name in _RESOLVERS else upstream
        expected |= {_DRIVER} if name == "ImageExampleGen" else set()
        assert set(tasks[name].get("dependentTasks", [])) == expected, name


def test_artifacts_come_from_tasks_that_make_them() -> None:
    spec = _job().pipeline
    for task in _tasks(_job()).values():
        for source in task.get("inputs", {}).get("artifacts", {}).values():
            output = source["taskOutputArtifact"]
            component = spec["components"][f"comp-{output['producerTask']}"]
            assert output["outputArtifactKey"] in component["outputDefinitions"]["artifacts"]


def test_artifact_types_have_titles_that_kubeflow_takes() -> None:
    titles = {
        yaml.safe_load(artifact["artifactType"]["instanceSchema"])["title"]
        for component in _job().pipeline["components"].values()
        for artifact in component.get("outputDefinitions", {}).get("artifacts", {}).values()
    }
    assert {"tfx.Examples", "tfx.Model", "expression.IngestReport"} <= titles
    assert {title.partition(".")[0] for title in titles} == {"tfx", "expression"}


def test_what_a_resolver_looks_for_is_kept_by_the_component_that_makes_it() -> None:
    containers = _containers(_job())
    for resolver, keeper in (
        ("LastValidatedStatistics", "DataGate"),
        ("LatestBlessedModel", "Evaluator"),
    ):
        history = _option(containers[resolver]["args"], "--history")
        assert history == f"/workspace/history/expression/{resolver}"
        assert _option(containers[keeper]["args"], "--history") == history
    assert _option(containers["DataGate"]["args"], "--remember") == "validated"
    assert _option(containers["Evaluator"]["args"], "--remember") == "model"
    assert _option(containers["Evaluator"]["args"], "--remember_if") == "blessing"


def test_the_cache_sees_which_data_were_found() -> None:
    resolved = _tasks(_job())["ImageExampleGen"]["inputs"]["parameters"]["resolved"]
    assert resolved["taskOutputParameter"]["producerTask"] == _DRIVER


def _cached(compiled: Job) -> set[str]:
    tasks = _tasks(compiled).items()
    return {name for name, task in tasks if task.get("cachingOptions", {}).get("enableCache")}


def test_everything_is_cached_but_what_looks_or_acts_outside_the_pipeline() -> None:
    assert _cached(_job()) == set(_tasks(_job())) - _PUSHERS - _RESOLVERS - {_DRIVER}
    assert _cached(_job("run.cache=false")) == set()


def test_a_failed_task_is_tried_again_as_often_as_set() -> None:
    policies = {name: task.get("retryPolicy") for name, task in _tasks(_job()).items()}
    assert policies.pop("DataGate") is None  # the data would be no better
    assert {policy["maxRetryCount"] for policy in policies.values()} == {2}
    tasks = _tasks(_job("kubeflow.retries=0"))
    assert not any("retryPolicy" in task for task in tasks.values())


def test_every_component_asks_for_cpu_and_memory() -> None:
    asked = {name: container["resources"] for name, container in _containers(_job()).items()}
    for resources in asked.values():
        assert resources == {
            "resourceCpuRequest": "2",
            "resourceCpuLimit": "2",
            "resourceMemoryRequest": "4Gi",
            "resourceMemoryLimit": "4Gi",
        }


def test_a_component_can_ask_for_more_and_for_gpus() -> None:
    compiled = _job(
        "kubeflow.resources.Trainer.gpus=1",
        "kubeflow.resources.Trainer.memory=16Gi",
    )
    trainer = _containers(compiled)["Trainer"]["resources"]
    assert trainer["resourceMemoryLimit"] == "16Gi"
    assert trainer["resourceCpuLimit"] == "2"
    assert trainer["accelerator"] == {"resourceType": "nvidia.com/gpu", "resourceCount": "1"}
    assert "accelerator" not in _containers(compiled)["Transform"]["resources"]


def _platform(compiled: Job) -> dict[str, Any]:
    return compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_the_platform_spec_is_one() -> None:
    for executor in _platform(_job()).values():
        json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())


def test_every_container_mounts_the_shared_volume() -> None:
    compiled = _job("kubeflow.workspace=/shared", "kubeflow.workspace_claim=faces")
    executors = compiled.pipeline["deploymentSpec"]["executors"]
    assert set(_platform(compiled)) == set(executors)
    for executor in _platform(compiled).values():
        (mount,) = executor["pvcMount"]
        assert (mount["constant"], mount["mountPath"]) == ("faces", "/shared")
    parameters = _tasks(compiled)["Pusher"]["inputs"]["parameters"]
    assert parameters["base_directory"]["runtimeValue"]["constant"] == "/shared/serving/expression"


def test_secrets_are_named_and_never_written() -> None:
    compiled = _job(
        "kubeflow.secrets.AWS_ACCESS_KEY_ID=bucket/user",
        "kubeflow.secrets.AWS_SECRET_ACCESS_KEY=bucket/password",
    )
    for executor in _platform(compiled).values():
        (secret,) = executor["secretAsEnv"]
        assert secret["secretName"] == "bucket"
        assert secret["keyToEnv"] == [
            {"secretKey": "user", "envVar": "AWS_ACCESS_KEY_ID"},
            {"secretKey": "password", "envVar": "AWS_SECRET_ACCESS_KEY"},
        ]


def test_artifacts_go_to_the_object_store_that_is_set_or_to_the_clusters_own() -> None:
    assert "defaultPipelineRoot" not in _job().pipeline
    compiled = _job("kubeflow.pipeline_root=s3://faces/runs")
    assert compiled.pipeline["defaultPipelineRoot"] == "s3://faces/runs"


def test_what_a_run_may_set_is_a_parameter_of_the_job_with_a_default() -> None:
    parameters = _job("train.epochs=7").pipeline["root"]["inputDefinitions"]["parameters"]
    assert {name: each["defaultValue"] for name, each in parameters.items()} == {
        "data": _DATA,
        "data_span": -1,
        "train_epochs": 7,
    }
    given = _tasks(_job())["Trainer"]["inputs"]["parameters"]["epochs"]
    assert given == {"componentInputParameter": "train_epochs"}


def test_parameters_that_are_messages_are_named_to_the_entry_point() -> None:
    (name,) = json.loads(
        _option(_containers(_job())["DriftValidator"]["args"], "--proto_parameters")
    )
    assert name == "distribution_validator_config"


def test_the_same_settings_give_the_same_job() -> None:
    assert job.compile_pipeline(config.load(), _DATA) == _job()


def test_compiling_makes_no_folder_that_is_the_clusters(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    job.compile_pipeline(config.load(assignments=[f"kubeflow.workspace={workspace}"]), None)
    assert not workspace.exists()


def test_a_run_on_the_drawn_sample_has_a_history_of_its_own() -> None:
    compiled = _job(data=None)
    assert compiled.pipeline["pipelineInfo"]["name"] == "expression-drawn-sample"
    history = _option(_containers(compiled)["LatestBlessedModel"]["args"], "--history")
    assert history == "/workspace/history/expression-drawn-sample/LatestBlessedModel"


def test_the_sample_is_drawn_where_the_pipeline_runs() -> None:
    assert "--sample" not in _containers(_job())[_DRIVER]["args"]
    sample = json.loads(_option(_containers(_job(data=None))[_DRIVER]["args"], "--sample"))
    assert sample["folder"] == "/workspace/sample"


def test_a_run_on_the_drawn_sample_has_no_other_data() -> None:
    compiled = _job(data=None)
    assert set(compiled.pipeline["root"]["inputDefinitions"]["parameters"]) == {"train_epochs"}
    for task in ("ImageExampleGen", _DRIVER):
        given = _tasks(compiled)[task]["inputs"]["parameters"]
        assert given["data"]["runtimeValue"]["constant"].startswith("/workspace/sample/")
        assert given["read_span"]["runtimeValue"]["constant"] == -1


def test_the_sample_is_drawn_by_one_task_beside_unlabelled_images_too() -> None:
    containers = _containers(_job("infer.data=/workspace/data/new", data=None))
    drawing = {name for name, container in containers.items() if "--sample" in container["args"]}
    assert drawing == {_DRIVER}


def test_unlabelled_images_have_a_driver_of_their_own() -> None:
    tasks = _tasks(_job("infer.data=/workspace/data/new"))
    added = {
        "UnlabelledExampleGen",
        "UnlabelledExampleGen-driver",
        "BulkInferrer",
        "PredictionTable",
    }
    assert set(tasks) == {*_tasks(_job()), *added}


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("kubeflow.resources.Trainor.gpus=1", "kubeflow.resources.Trainor names no component"),
        ("data.name=my_faces", "takes no underscore"),
        ("serving_check.server=docker", "set serving_check.server to embedded or off"),
    ],
)
def test_what_kubeflow_cannot_run_is_told_in_a_sentence(assignment: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        _job(assignment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "assignment",
    [
        "kubeflow.memory=lots",
        "kubeflow.cpu=0",
        "kubeflow.pipeline_root=/tmp",
        "kubeflow.workspace=relative",
        "kubeflow.secrets.TOKEN=value",
    ],
)
def test_settings_are_checked(assignment: str) -> None:
    with pytest.raises(UserError, match="can't be"):
        config.load(assignments=[assignment])
