"""What a cluster gets beside Kubeflow Pipelines, and the image that its pods run."""

import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.config import REPOSITORY, KubeflowSettings

_MANIFESTS = REPOSITORY / "orchestration" / "kubeflow" / "manifests"
_DOCKERFILE = (REPOSITORY / "containers" / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def rendered() -> dict[tuple[str, str], dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which renders the kustomizations, is not installed")
    result = subprocess.run(
        [kubectl, "kustomize", str(_MANIFESTS)], check=True, capture_output=True, text=True
    )
    manifests = yaml.safe_load_all(result.stdout)
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


Rendered = dict[tuple[str, str], dict[str, Any]]


def _pod(rendered: Rendered, kind: str, name: str) -> dict[str, Any]:
    pod: dict[str, Any] = rendered[kind, name]["spec"]["template"]["spec"]
    return pod


def test_the_manifests_keep_the_kubernetes_schema(rendered: Rendered) -> None:
    for manifest in rendered.values():
        kubernetes_validate.validate(manifest, "1.33", strict=True)
        assert manifest["metadata"]["namespace"] == "kubeflow"


def test_the_claim_is_the_one_that_jobs_mount_on_several_nodes(rendered: Rendered) -> None:
    claims = [each for kind, each in rendered if kind == "PersistentVolumeClaim"]
    assert claims == [KubeflowSettings().workspace_claim]
    claim = rendered["PersistentVolumeClaim", claims[0]]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_serving_reads_the_versions_where_the_pipeline_pushes_them(rendered: Rendered) -> None:
    pod = _pod(rendered, "Deployment", "expression-serving")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "models")
    claim = {"claimName": KubeflowSettings().workspace_claim, "readOnly": True}
    assert volume["persistentVolumeClaim"] == claim
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "models")
    assert mount == {
        "name": "models",
        "mountPath": "/models",
        "subPath": "serving",
        "readOnly": True,
    }


def test_the_volume_is_prepared_for_the_user_of_the_image(rendered: Rendered) -> None:
    pod = _pod(rendered, "Job", "expression-prepare-workspace")
    (user,) = re.findall(r"^USER (\d+):\1$", _DOCKERFILE.partition("AS test\n")[0], re.MULTILINE)
    assert {pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {
        int(user)
    }
    assert pod["containers"][0]["image"] == KubeflowSettings().image


def test_every_stage_of_the_image_installs_from_the_lock_with_the_makefiles_uv() -> None:
    assert re.findall(r"uv==(\S+)", _DOCKERFILE) == re.findall(
        r"^UV_VERSION := (\S+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE
    )
    installs = re.findall(r"uv sync (.*)", _DOCKERFILE)
    assert len(installs) == 2
    assert all(options.startswith("--locked") for options in installs)


def test_the_image_holds_every_module_that_the_pipeline_runs() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", _DOCKERFILE, re.MULTILINE))
    assert {"components", "orchestration", "pipeline", "schema", "serving"} <= copied
