"""Swaps of the served version under load: nothing fails and no answer mixes two versions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2

from serving.process import ServerProcess
from tests.serving.clients import DEADLINE_SECONDS, Target, image_request
from tests.serving.conftest import MODEL, model_config, target_of
from tests.serving.tiny_model import png

SWAPS = 20
CLIENTS = 4


@pytest.fixture(scope="module")
def server(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    path = tmp_path_factory.mktemp("reload") / "models.config"
    path.write_text(model_config(model_root, "specific { versions: 1 }"))
    with ServerProcess([f"--model_config_file={path}"]) as process:
        yield target_of(process)


def reload_request(base: Path, policy: str, extra: str = "") -> model_management_pb2:
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(model_config(base, policy, extra), request.config)
    return request


def reload(server: Target, base: Path, policy: str, extra: str = "") -> None:
    request = reload_request(base, policy, extra)
    server.model.HandleReloadConfigRequest(request, DEADLINE_SECONDS)


def await_available(server: Target, *wanted: int) -> None:
    """Waits until these versions are available and no other is still loaded."""
    deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
    deadline.start()
    states: dict[int, str] = {}
    while deadline.is_alive() and states != dict.fromkeys(wanted, "AVAILABLE"):
        found = server.versions(MODEL)
        states = {version: state for version, state in found.items() if state != "END"}
    deadline.cancel()
    assert set(states) == set(wanted)


def test_swaps_and_rollbacks_lose_no_request(server: Target, model_root: Path) -> None:
    request = image_request(MODEL, png(0))
    stop = threading.Event()

    def ask_over_grpc() -> list[tuple[int, str]]:
        answers = []
        while not stop.is_set():
            answer = server.predict(request)
            label = answer.outputs["label"].string_val[0].decode()
            answers.append((answer.model_spec.version.value, label))
        return answers

    def ask_over_rest() -> list[tuple[int, str]]:
        labels = []
        while not stop.is_set():
            answer = server.post(f"/v1/models/{MODEL}:predict", body)
            assert answer.status_code == 200, answer.text
            label = answer.json()["predictions"][0]["label"]
            labels.append((int(label.partition("@")[2]), label))
        return labels

    body = {"signature_name": "pixels", "instances": [[[[0]] * 48] * 48]}
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(ask_over_grpc) for _ in range(CLIENTS - 1)]
        asked.append(pool.submit(ask_over_rest))
        for swap in range(SWAPS):
            new = 2 if swap % 2 == 0 else 1
            reload(server, model_root, f"specific {{ versions: {new} }}")
            await_available(server, new)
        stop.set()
        answers = [answer for future in asked for answer in future.result()]
    assert {version for version, _ in answers} == {1, 2}
    assert all(label.endswith(f"@{version}") for version, label in answers)


def test_a_label_moves_only_to_a_version_that_is_available(
    server: Target, model_root: Path
) -> None:
    label = 'version_labels { key: "live" value: %d }'
    reload(server, model_root, "specific { versions: 1 }")
    await_available(server, 1)
    with pytest.raises(grpc.RpcError) as caught:
        reload(server, model_root, "all {}", label % 2)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == (
        f"Request to assign label to version 2 of model {MODEL}, which is not currently "
        "available for inference"
    )
    reload(server, model_root, "all {}")
    await_available(server, 1, 2)
    for version in (2, 1):
        reload(server, model_root, "all {}", label % version)
        answer = server.predict(image_request(MODEL, png(0), label="live"))
        assert answer.model_spec.version.value == version


def test_the_config_file_takes_the_place_of_what_was_reloaded_at_its_next_poll(
    model_root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "models.config"
    path.write_text(model_config(model_root, "specific { versions: 1 }"))
    flags = [f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1"]
    with ServerProcess(flags) as process:
        server = target_of(process)
        reload(server, model_root, "specific { versions: 2 }")
        assert 2 in server.versions(MODEL)
        await_available(server, 1)


def test_a_config_that_breaks_a_rule_changes_nothing(server: Target, model_root: Path) -> None:
    request = reload_request(model_root, "all {}")
    request.config.model_config_list.config.append(request.config.model_config_list.config[0])
    with pytest.raises(grpc.RpcError) as caught:
        server.model.HandleReloadConfigRequest(request, DEADLINE_SECONDS)
    assert caught.value.details() == f"Illegal to list model {MODEL} multiple times in config list"
    assert server.predict(image_request(MODEL, png(0))).outputs


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "Could not find base path {} for servable new"),
        ("empty", "Unable to find a numerical version path for servable new at: {}"),
    ],
)
def test_a_new_model_without_a_version_is_refused_at_once(
    server: Target, model_root: Path, tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    request = reload_request(model_root, "all {}")
    request.config.model_config_list.config.add(
        name="new", base_path=str(tmp_path / name), model_platform="tensorflow"
    )
    with pytest.raises(grpc.RpcError) as caught:
        server.model.HandleReloadConfigRequest(request, DEADLINE_SECONDS)
    assert sentence.format(tmp_path / name) in caught.value.details()


def test_a_new_model_whose_policy_asks_for_no_version_there_is_refused_and_changes_nothing(
    server: Target, model_root: Path
) -> None:
    request = reload_request(model_root, "all {}")
    new = request.config.model_config_list.config.add(
        name="new", base_path=str(model_root), model_platform="tensorflow"
    )
    new.model_version_policy.specific.versions.append(9)
    with pytest.raises(grpc.RpcError) as caught:
        server.model.HandleReloadConfigRequest(request, DEADLINE_SECONDS)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == (
        f"Unable to find a version that the policy of servable new asks for at: {model_root}"
    )
    # Neither the list of models nor the next reload is affected.
    with pytest.raises(grpc.RpcError) as caught:
        server.versions("new")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    reload(server, model_root, "all {}")


def test_an_empty_config_is_refused(server: Target) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.model.HandleReloadConfigRequest(
            model_management_pb2.ReloadConfigRequest(), DEADLINE_SECONDS
        )
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Only ModelConfigList is currently supported" in caught.value.details()
