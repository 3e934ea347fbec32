"""The deployment files, each against the well-kept validator of its kind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import promql_parser
import pytest
import yaml

from serving.config_files import PROMETHEUS_PATH, read_batching_options, read_metrics_path
from serving.config_files import read_model_config as read_config
from serving.flags import parse_flags
from serving.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2] / "serving_configs"
KUBERNETES_VERSION = "1.33"
CONFIGS = ("models.config", "batching.config", "monitoring.config")
# The batcher of tensorflow_model_server exports these; the embedded server cannot.
ONLY_TENSORFLOW_SERVING = {
    ":tensorflow:serving:batching_session:processed_batch_size",
    ":tensorflow:serving:batching_session:queuing_latency",
}


def documents(path: Path) -> list[Any]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def rendered(folder: str) -> list[dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which renders the kustomizations, is not installed")
    result = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "kubernetes" / folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    return list(yaml.safe_load_all(result.stdout))


@pytest.mark.parametrize("name", ["models.config", "models.request_log.config"])
def test_the_model_configs_keep_tensorflow_servings_rules(name: str) -> None:
    (model,) = read_config(str(ROOT / name)).model_config_list.config
    assert model.name == "expression"
    assert set(model.version_labels) == {"stable", "canary"}


def test_the_logging_config_differs_only_by_its_log() -> None:
    plain = read_config(str(ROOT / "models.config"))
    logging = read_config(str(ROOT / "models.request_log.config"))
    logging.model_config_list.config[0].ClearField("logging_config")
    assert logging == plain


def test_the_batching_and_monitoring_configs_are_valid() -> None:
    options = read_batching_options(str(ROOT / "batching.config"))
    assert options.allowed_batch_sizes[-1] == options.max_batch_size
    assert read_metrics_path(str(ROOT / "monitoring.config")) == PROMETHEUS_PATH


@pytest.mark.parametrize("name", CONFIGS)
def test_kubernetes_ships_the_same_configs(name: str) -> None:
    # Kustomize reads no file above its own folder, hence the copies.
    copy = ROOT / "kubernetes" / "base" / "config" / name
    assert copy.read_text() == (ROOT / name).read_text()


def test_the_compose_file_keeps_the_compose_specification() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, str(ROOT / "docker-compose.yml")],
        check=True,
    )


def compose() -> dict[str, Any]:
    return documents(ROOT / "docker-compose.yml")[0]["services"]


def commands() -> Iterator[list[str]]:
    yield compose()["serving"]["command"]
    (deployment,) = documents(ROOT / "kubernetes" / "base" / "deployment.yaml")
    yield deployment["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_embedded_server_takes_every_deployed_flag() -> None:
    for command in commands():
        assert parse_flags(command).rest_api_port == 8501


def test_images_are_pinned_and_the_models_mounted_read_only() -> None:
    services = compose()
    for service in services.values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert all(volume.endswith(":ro") for volume in services["serving"]["volumes"])
    (deployment,) = documents(ROOT / "kubernetes" / "base" / "deployment.yaml")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == services["serving"]["image"]


def test_mounted_files_exist() -> None:
    for service in compose().values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source


@pytest.mark.parametrize("folder", ["base", "overlays/production"])
def test_rendered_manifests_keep_the_kubernetes_schema(folder: str) -> None:
    manifests = rendered(folder)
    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
    assert {"Deployment", "Service", "HorizontalPodAutoscaler", "NetworkPolicy"} <= {
        manifest["kind"] for manifest in manifests
    }


def test_selectors_select_the_pods_of_the_deployment() -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for manifest in rendered("overlays/production"):
        by_kind.setdefault(manifest["kind"], []).append(manifest)
    pod = by_kind["Deployment"][0]["spec"]["template"]["metadata"]["labels"]
    selectors = [each["spec"]["selector"] for each in by_kind["Service"]]
    selectors += [each["spec"]["podSelector"]["matchLabels"] for each in by_kind["NetworkPolicy"]]
    for kind in ("Deployment", "PodDisruptionBudget"):
        selectors += [each["spec"]["selector"]["matchLabels"] for each in by_kind[kind]]
    (constraint,) = by_kind["Deployment"][0]["spec"]["template"]["spec"][
        "topologySpreadConstraints"
    ]
    selectors.append(constraint["labelSelector"]["matchLabels"])
    for selector in selectors:
        assert selector
        assert selector.items() <= pod.items()


def test_only_labelled_clients_and_the_monitoring_namespace_reach_the_pods() -> None:
    (policy,) = [each for each in rendered("base") if each["kind"] == "NetworkPolicy"]
    clients, monitoring = (rule["from"][0] for rule in policy["spec"]["ingress"])
    assert clients == {"podSelector": {"matchLabels": {"expression-serving-client": "true"}}}
    assert set(monitoring) == {"namespaceSelector"}
    assert policy["spec"]["egress"] == []


def test_the_pod_runs_without_privileges() -> None:
    (deployment,) = documents(ROOT / "kubernetes" / "base" / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]) == {"requests", "limits"}
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


def expressions() -> Iterator[str]:
    (rules,) = documents(ROOT / "prometheus" / "alerts.yml")
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard = json.loads((ROOT / "grafana" / "dashboards" / "expression.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m")


def test_every_expression_is_promql() -> None:
    for expression in expressions():
        promql_parser.parse(expression)


@pytest.mark.parametrize("check", [["rules", "alerts.yml"], ["config", "prometheus.yml"]])
def test_prometheus_own_tool_takes_its_files(check: list[str]) -> None:
    kind, name = check
    promtool("check", kind, str(ROOT / "prometheus" / name))


def test_each_alert_fires_when_it_should() -> None:
    promtool("test", "rules", str(Path(__file__).parent / "alerts_test.yml"))


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool, of Debian's package prometheus, is not installed")
    result = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_asked_for_is_exported() -> None:
    types = re.findall(r"# TYPE (\S+)", Metrics().page().decode())
    for expression in expressions():
        for name in re.findall(r":[a-z:_]+", expression):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert {name, base} & ({*types} | ONLY_TENSORFLOW_SERVING), name


def test_prometheus_scrapes_the_metrics_of_the_serving_container() -> None:
    (config,) = documents(ROOT / "prometheus" / "prometheus.yml")
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == PROMETHEUS_PATH
    assert job["static_configs"][0]["targets"] == ["serving:8501"]
    for name in config["rule_files"]:
        assert (ROOT / "prometheus" / name).exists()


def test_dashboard_panels_have_their_own_ids() -> None:
    dashboard = json.loads((ROOT / "grafana" / "dashboards" / "expression.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
