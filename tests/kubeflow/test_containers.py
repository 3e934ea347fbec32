"""The compiled job, executed by kfp's DockerRunner: each task in a container of the image."""

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from kfp import local

from orchestration.kubeflow.command_line import main
from tests.kubeflow.executed import TINY, run_job

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

_IMAGE = os.environ.get("EXPRESSION_IMAGE", "expression-pipeline:latest")


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """A container engine that has the image."""
    try:
        client = docker.from_env()
        client.images.get(_IMAGE)
    except docker.errors.ImageNotFound:
        pytest.skip(f"the container engine has no image {_IMAGE}; containers/Dockerfile builds it")
    except docker.errors.DockerException:
        pytest.skip("there is no container engine")
    yield client
    client.close()


def test_the_image_runs_as_nobody_in_particular(engine: docker.DockerClient) -> None:
    run = engine.containers.run
    told = run(_IMAGE, ["id", "--user"], remove=True, network_mode="none").decode()
    assert told.strip() == "1000"


def test_the_whole_job_ends_in_pushed_models(engine: docker.DockerClient, tmp_path: Path) -> None:
    root, file = tmp_path / "root", tmp_path / "pipeline.yaml"
    root.mkdir()
    # Containers write as their own user.
    root.chmod(0o777)
    workspace = root / "workspace"
    arguments = ["--output", str(file), "--set", f"kubeflow.workspace={workspace}", *TINY]
    assert main(["compile", *arguments, "--set", f"kubeflow.image={_IMAGE}"]) == 0
    # Without a network: what components need is in the image and on the volume.
    run_job(str(file), str(root), local.DockerRunner(network_mode="none"))
    assert (workspace / "serving" / "expression" / "1" / "saved_model.pb").exists()
    assert (workspace / "edge" / "expression" / "1" / "model_int8.tflite").exists()
