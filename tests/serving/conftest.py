"""A model root with two versions, and servers over it in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.process import ServerProcess
from tests.serving import tiny_model
from tests.serving.clients import Target

MODEL = "expression"


def target_of(process: ServerProcess) -> Target:
    return Target(f"127.0.0.1:{process.grpc_port}", f"127.0.0.1:{process.rest_port}")


def model_config(base_path: Path, policy: str = "all {}", extra: str = "") -> str:
    return (
        f'model_config_list {{ config {{ name: "{MODEL}" base_path: "{base_path}" '
        f'model_platform: "tensorflow" model_version_policy {{ {policy} }} {extra} }} }}'
    )


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the model, with versions 1 and 2."""
    root = tmp_path_factory.mktemp("models") / MODEL
    root.mkdir()
    for version in (1, 2):
        tiny_model.export(root, version)
    return root


@pytest.fixture(scope="session")
def target(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with both versions, labels `stable` (1) and `canary` (2), and metrics."""
    named = Target.from_environment()
    if named:
        yield named
        return
    folder = tmp_path_factory.mktemp("config")
    labels = 'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }'
    (folder / "models.config").write_text(model_config(model_root, extra=labels))
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    flags = [
        f"--model_config_file={folder / 'models.config'}",
        f"--monitoring_config_file={folder / 'monitoring.config'}",
        "--allow_version_labels_for_unavailable_models",
    ]
    with ServerProcess(flags) as process:
        yield target_of(process)
