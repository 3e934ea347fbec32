"""What a cluster gets beside Kubeflow Pipelines, and the image that its pods run."""

import ast
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline import config
from pipeline.config import PROFILES, REPOSITORY, KubeflowSettings

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


_RUN = ("orchestration/kubeflow", "pipeline", "components", "serving")


def _is_in_image(path: str) -> bool:
    stage = _DOCKERFILE.partition(" AS pipeline\n")[2].partition("\nFROM ")[0]
    copied = re.findall(r"^COPY ([\w/]+) \1$", stage, re.MULTILINE)
    return any(Path(path).is_relative_to(each) for each in copied)


def _imported(folder: str) -> set[str]:
    """First names of the project's modules that those of a folder import, anywhere in them."""
    names = set()
    for file in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    own = {path.stem for path in REPOSITORY.iterdir()}
    return {name.partition(".")[0] for name in names} & own


@pytest.mark.parametrize("folder", _RUN)
def test_the_image_holds_what_the_pipeline_runs_and_imports(folder: str) -> None:
    imported = _imported(folder)
    assert imported  # Each imports its own modules.
    assert {name for name in {folder, *imported} if not _is_in_image(name)} == set()


def test_the_image_holds_the_curated_schema_and_the_teachers_of_the_profiles() -> None:
    trained = [config.load(path.stem).train for path in PROFILES.glob("*.toml")]
    teachers = {train.teacher for train in trained if train.teacher is not None}
    assert teachers
    assert {path for path in {"schema", *teachers} if not _is_in_image(path)} == set()
