import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from clients.webcam.backends import BackendUnavailableError
from clients.webcam.backends.choice import make_backend
from clients.webcam.backends.grpc import GrpcServer
from clients.webcam.backends.local import default_model
from clients.webcam.backends.rest import RestServer
from clients.webcam.backends.tflite import TFLiteModel
from clients.webcam.options import Options
from pipeline.errors import UserError
from tests.clients.webcam.fake_rest import FakeRest
from tests.clients.webcam.fakes import LABELS, FakeServer
from tests.clients.webcam.tflite_files import write_tflite

FACES = [np.full((side, side), 90, np.uint8) for side in (30, 48, 200)]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.hold.set()
    fake.stop()


@pytest.fixture
def rest() -> Iterator[FakeRest]:
    fake = FakeRest()
    yield fake
    fake.stop()


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def answers_again(backend: GrpcServer) -> bool:
    """Asks until there is an answer, for at most 20 seconds."""
    waiting, end = threading.Event(), monotonic() + 20
    while monotonic() < end:
        try:
            return backend.predict(FACES).version == "1"
        except BackendUnavailableError:
            waiting.wait(0.05)
    return False


def test_grpc_asks_about_all_faces_in_one_batch(server: FakeServer) -> None:
    answer = GrpcServer(server.address, "expression").predict(FACES)
    assert server.batches == [(3, 48, 48, 1)]
    assert answer.labels == LABELS
    assert answer.version == "1"
    np.testing.assert_allclose(answer.probabilities, [[0.8, 0.1, 0.1]] * 3, rtol=1e-6)


def test_grpc_shows_the_version_that_answered_with_its_classes(server: FakeServer) -> None:
    backend = GrpcServer(server.address, "expression")
    backend.predict(FACES)
    server.version, server.labels = 2, ("calm", "wild")
    answer = backend.predict(FACES)
    assert (answer.version, answer.labels) == ("2", ("calm", "wild"))
    assert answer.probabilities.shape == (3, 2)


def test_grpc_follows_a_new_version_with_another_image_size(server: FakeServer) -> None:
    backend = GrpcServer(server.address, "expression")
    backend.predict(FACES)
    server.version, server.size = 2, 64
    backend.predict(FACES)
    assert server.batches[-1] == (3, 64, 64, 1)


def test_grpc_asks_for_the_version_named(server: FakeServer) -> None:
    assert GrpcServer(server.address, "expression", version=7).predict(FACES).version == "7"


def test_grpc_goes_on_when_the_server_is_back(server: FakeServer) -> None:
    backend = GrpcServer(server.address, "expression", timeout=20)
    backend.predict(FACES)
    server.stop()
    with pytest.raises(BackendUnavailableError, match="not there"):
        backend.predict(FACES)
    server.start()
    assert answers_again(backend)


def test_grpc_tells_a_slow_server_and_a_missing_model(server: FakeServer) -> None:
    with pytest.raises(BackendUnavailableError, match="no such model"):
        GrpcServer(server.address, "another").predict(FACES)
    backend = GrpcServer(server.address, "expression", timeout=0.2)
    server.hold.clear()
    with pytest.raises(BackendUnavailableError, match="too slow"):
        backend.predict(FACES)


def test_rest_asks_the_newest_available_version_by_its_number(rest: FakeRest) -> None:
    clock = Clock()
    backend = RestServer(rest.address, "expression", clock=clock)
    answer = backend.predict(FACES)
    assert (answer.version, answer.labels) == ("1", LABELS)
    np.testing.assert_allclose(answer.probabilities, [[0.8, 0.1, 0.1]] * 3, rtol=1e-6)
    rest.versions, rest.size, rest.labels = [1, 2], 64, ("calm", "wild")
    clock.time += 5
    answer = backend.predict(FACES)
    assert (answer.version, answer.labels) == ("2", ("calm", "wild"))
    assert rest.paths[-1] == "/v1/models/expression/versions/2:predict"


def test_rest_looks_anew_at_once_when_its_version_is_gone(rest: FakeRest) -> None:
    backend = RestServer(rest.address, "expression", clock=Clock())
    backend.predict(FACES)
    rest.versions = [2]
    with pytest.raises(BackendUnavailableError):
        backend.predict(FACES)
    assert backend.predict(FACES).version == "2"


def test_rest_asks_for_a_label(rest: FakeRest) -> None:
    answer = RestServer(rest.address, "expression", label="stable").predict(FACES)
    assert answer.version == "stable"
    assert rest.paths[-1] == "/v1/models/expression/labels/stable:predict"


@pytest.mark.parametrize(
    ("name", "in_path"),
    [("my model", "my%20model"), ("a/b?c:d%", "a%2Fb%3Fc%3Ad%25"), ("高兴", "%E9%AB%98%E5%85%B4")],
)
def test_rest_asks_for_names_that_are_no_part_of_an_address(
    rest: FakeRest, name: str, in_path: str
) -> None:
    assert RestServer(rest.address, name, label=name).predict(FACES).version == name
    assert rest.paths[-1] == f"/v1/models/{in_path}/labels/{in_path}:predict"


def test_rest_goes_on_when_the_server_is_back(rest: FakeRest) -> None:
    backend = RestServer(rest.address, "expression")
    backend.predict(FACES)
    rest.stop()
    backend.close()
    with pytest.raises(BackendUnavailableError, match="not there"):
        backend.predict(FACES)
    rest.start()
    assert backend.predict(FACES).version == "1"


@pytest.mark.parametrize(
    ("status", "body", "clause"),
    [
        (200, b"<html>welcome</html>", "not TensorFlow Serving"),
        (200, b"[1, 2]", "not TensorFlow Serving"),
        (200, b"{}", "not TensorFlow Serving"),
        (503, b'{"error": "busy"}', "503"),
        (404, b'{"error": "no"}', "no such model"),
    ],
)
def test_rest_tells_what_answers_otherwise(
    rest: FakeRest, status: int, body: bytes, clause: str
) -> None:
    rest.answer_with = (status, body)
    with pytest.raises(BackendUnavailableError, match=clause):
        RestServer(rest.address, "expression").predict(FACES)


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8500", "grpc://", "http://host:8501", "grpc://host:99999999", "grpc://h:1/x"),
        *("rest+http://my host:8501", "rest+https://my host", "grpc://my host", "grpc://a,b:8500"),
    ],
)
def test_a_server_that_cannot_be_is_told(url: str) -> None:
    with pytest.raises(UserError, match="give grpc://host:8500"):
        make_backend(Options(server=url))


def test_a_server_has_the_ports_of_tensorflow_serving_by_default() -> None:
    assert make_backend(Options(server="grpc://somewhere")).name == "gRPC somewhere:8500"
    assert make_backend(Options(server="rest+http://[::1]")).name == "REST [::1]:8501"
    assert make_backend(Options(server="rest+http://例え")).name == "REST 例え:8501"


def test_a_tflite_model_that_does_not_do_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(UserError, match=r"labels\.txt is missing"):
        TFLiteModel(path)
    (tmp_path / "labels.txt").write_text("angry\nhappy\n")
    with pytest.raises(UserError, match="no such file"):
        TFLiteModel(path)
    path.write_bytes(b"no model")
    with pytest.raises(UserError, match="not a TFLite model"):
        TFLiteModel(path)


IMAGE = [1, 48, 48, 1]


@pytest.mark.parametrize(
    ("inputs", "outputs", "clause"),
    [
        ([IMAGE, IMAGE], [[1, 2]], r"has 2 input\(s\) and 1 output\(s\), not one of each"),
        ([], [[1, 2]], r"has 0 input\(s\) and 1 output"),
        ([IMAGE], [[1, 2], [1, 4]], r"has 1 input\(s\) and 2 output"),
        ([IMAGE], [], r"has 1 input\(s\) and 0 output"),
        ([[1, 48, 48]], [[1, 2]], r"takes \[1, 48, 48\], not grey"),
        ([IMAGE], [[]], r"gives \[\], not probabilities \[n, c\]"),
        ([IMAGE], [[2]], r"gives \[2\], not probabilities \[n, c\]"),
        ([IMAGE], [[1, 3]], "has 3 classes"),
    ],
)
def test_a_tflite_model_of_another_kind_is_told(
    tmp_path: Path, inputs: list[list[int]], outputs: list[list[int]], clause: str
) -> None:
    (tmp_path / "labels.txt").write_text("angry\nhappy\n")
    path = write_tflite(tmp_path / "model.tflite", inputs, outputs)
    with pytest.raises(UserError, match=clause):
        TFLiteModel(path)


def test_without_any_model_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clients.webcam.backends.local.SHIPPED", tmp_path / "none")
    with pytest.raises(UserError, match="make run"):
        default_model(tmp_path / "edge")
