"""The client says what the model says: over gRPC, over REST and through TFLite."""

import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import cv2
import numpy as np
import pytest

from clients.webcam.backends import Backend, BackendUnavailableError, messages
from clients.webcam.backends.grpc import GrpcServer
from clients.webcam.backends.local import SHIPPED, PushedModel, default_model
from clients.webcam.backends.rest import RestServer
from clients.webcam.backends.tflite import TFLiteModel
from clients.webcam.crops import batch, cut
from clients.webcam.detection import make_detector
from clients.webcam.loop import Program
from clients.webcam.options import Options
from pipeline.drawn_sample import EXPRESSIONS
from pipeline.manifest import Manifest
from pipeline.publishing import publish
from serving.process import ServerProcess
from tests.clients.webcam.conftest import LABELS
from tests.clients.webcam.scenes import astronaut, crowd, with_face, write_video

REAL_ARCHIVE = Path(__file__).parents[3].parent / "shared/data/fer2013/archive.zip"


@pytest.fixture(scope="module")
def server(workspace: Path) -> Iterator[ServerProcess]:
    flags = ["--model_name=expression", f"--model_base_path={workspace / 'serving/expression'}"]
    with ServerProcess(flags) as process:
        yield process


@pytest.fixture(scope="module")
def backends(workspace: Path, server: ServerProcess) -> dict[str, Backend]:
    edge = workspace / "edge/expression/2"
    return {
        "gRPC": GrpcServer(f"127.0.0.1:{server.grpc_port}", "expression"),
        "REST": RestServer(f"127.0.0.1:{server.rest_port}", "expression"),
        "TFLite": TFLiteModel(edge / "model_float32.tflite", "2"),
    }


def crops_of(scenes: list[np.ndarray]) -> list[np.ndarray]:
    detector = make_detector("blazeface")
    return [cut(scene, box) for scene in scenes for box in detector.detect(scene)]


@pytest.fixture(scope="module")
def crops() -> list[np.ndarray]:
    drawn = [with_face(expression=one, seed=seed) for seed in (1, 2) for one in EXPRESSIONS]
    return crops_of([astronaut(), crowd(3, 4), *drawn])


def ask_the_model(workspace: Path, crops: list[np.ndarray]) -> tuple[np.ndarray, list[str]]:
    import tensorflow as tf  # noqa: PLC0415

    model = tf.saved_model.load(str(workspace / "serving/expression/2"))
    answer = model.signatures["pixels"](pixels=tf.constant(batch(crops, 48)))
    labels = [label.decode().partition("@")[0] for label in answer["label"].numpy()]
    return answer["probabilities"].numpy(), labels


@pytest.mark.parametrize("way", ["gRPC", "REST", "TFLite"])
def test_labels_are_those_of_the_model_asked_directly(
    backends: dict[str, Backend], workspace: Path, crops: list[np.ndarray], way: str
) -> None:
    expected, labels = ask_the_model(workspace, crops)
    answer = backends[way].predict(crops)
    assert answer.version == "2"
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
    assert [answer.labels[index] for index in answer.probabilities.argmax(axis=1)] == labels


@pytest.mark.skipif(not REAL_ARCHIVE.exists(), reason="no real images in ../shared/data")
def test_labels_of_real_faces_are_the_same_every_way(
    backends: dict[str, Backend], workspace: Path
) -> None:
    with zipfile.ZipFile(REAL_ARCHIVE) as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("test/"))[::120]
        encoded = [np.frombuffer(archive.read(name), np.uint8) for name in names if "." in name]
    scenes = []
    for image in encoded:
        scene = np.full((480, 640, 3), 120, np.uint8)
        face = cv2.imdecode(image, cv2.IMREAD_COLOR)
        assert face is not None
        scene[120:360, 200:440] = cv2.resize(face, (240, 240))
        scenes.append(scene)
    crops = crops_of(scenes)
    assert len(crops) >= 0.8 * len(scenes)
    _, expected = ask_the_model(workspace, crops)
    for backend in backends.values():
        answer = backend.predict(crops)
        assert [answer.labels[index] for index in answer.probabilities.argmax(axis=1)] == expected


@pytest.mark.parametrize("name", ["expression", "expression-edge"])
def test_a_shipped_model_is_as_it_was_pushed(name: str) -> None:
    folder = SHIPPED.parent / name
    assert not Manifest.read(folder).verify(folder, allow_unlisted=True)


@pytest.mark.skipif(not REAL_ARCHIVE.exists(), reason="no real images in ../shared/data")
@pytest.mark.parametrize("name", ["expression", "expression-edge"])
def test_a_shipped_model_is_as_right_on_real_faces_as_its_gate_measured(name: str) -> None:
    """Its float32 twin is not shipped, so the client is held to the rate of right answers."""
    folder = SHIPPED.parent / name
    metrics = Manifest.read(folder).metrics
    encoded, truths = eval_files()
    images = decoded(encoded)
    answer = TFLiteModel(folder / "model_int8.tflite").predict(images)
    right = sum(
        answer.labels[index] == truth
        for index, truth in zip(answer.probabilities.argmax(axis=1), truths, strict=True)
    )
    assert_rate(right, len(images), metrics["int8_accuracy"])


Faces = tuple[np.ndarray, list[np.ndarray]]
"""What the gate sees, uint8[n, 48, 48, 1], and the same faces as a client cuts or decodes them."""


@pytest.fixture(params=["drawn and photographed", "real"])
def faces(request: pytest.FixtureRequest, crops: list[np.ndarray]) -> Faces:
    if request.param != "real":
        return batch(crops, 48), crops
    if not REAL_ARCHIVE.exists():
        pytest.skip("no real images in ../shared/data")
    import tensorflow as tf  # noqa: PLC0415

    from pipeline.preprocessing import decode_images  # noqa: PLC0415

    encoded, _ = eval_files()
    encoded = encoded[::24]
    return decode_images(tf.constant(encoded), 48).numpy(), decoded(encoded)


def test_int8_agrees_at_the_rate_that_its_gate_measured_when_it_was_pushed(
    workspace: Path, faces: Faces, tmp_path: Path
) -> None:
    """The gate's own measurement goes into a manifest, and is met by the client."""
    from components.tflite_evaluator.evaluation import compare  # noqa: PLC0415

    model = workspace / "serving/expression/2"
    converted = tmp_path / "converted"
    shutil.copytree(workspace / "edge/expression/2", converted)
    pixels, crops = faces
    names = [LABELS[0]] * len(crops)
    report = compare(str(model), converted, lambda _: [(pixels, names)], list(LABELS))
    assert report.int8 is not None
    manifest = Manifest(
        model_name="expression",
        kind="edge",
        labels=list(LABELS),
        input_shape=[48, 48, 1],
        metrics={"int8_agreement": report.int8.agreement},
    )
    publish(converted, tmp_path / "edge/expression", manifest, keep=1)
    backend = default_model(tmp_path / "edge/expression")
    exact, _ = ask_the_model(workspace, crops)
    near = backend.predict(crops).probabilities
    agreement = (near.argmax(axis=1) == exact.argmax(axis=1)).mean()
    pushed = Manifest.read(tmp_path / "edge/expression/1")
    assert agreement == pytest.approx(pushed.metrics["int8_agreement"])


def eval_files() -> tuple[list[bytes], list[str]]:
    """FER2013's test images as files, and their classes."""
    with zipfile.ZipFile(REAL_ARCHIVE) as archive:
        names = [name for name in sorted(archive.namelist()) if name.startswith("test/")]
        names = [name for name in names if "." in name]
        return [archive.read(name) for name in names], [name.split("/")[1] for name in names]


def decoded(encoded: list[bytes]) -> list[np.ndarray]:
    """The images as OpenCV has them, grey."""
    images = [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_GRAYSCALE) for one in encoded]
    return [image for image in images if image is not None]


def assert_rate(hits: int, tries: int, rate: float) -> None:
    """Whether a rate is the measured one: within three standard errors of a sample so large."""
    error = (max(rate * (1 - rate), 1 / tries) / tries) ** 0.5
    assert hits / tries == pytest.approx(rate, abs=3 * error)


def test_int8_stays_near_float(workspace: Path, crops: list[np.ndarray]) -> None:
    folder = workspace / "edge/expression/2"
    exact = TFLiteModel(folder / "model_float32.tflite").predict(crops).probabilities
    near = TFLiteModel(folder / "model_int8.tflite").predict(crops).probabilities
    assert near.dtype == np.float32
    assert near.sum(axis=1) == pytest.approx(1, abs=0.02)
    assert np.abs(exact - near).max() < 0.15


def test_a_video_gives_the_same_lines_every_way(
    backends: dict[str, Backend], workspace: Path, server: ServerProcess, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "v.mp4", [with_face(left=200 + 4 * step) for step in range(8)])
    written = []
    for backend in (
        GrpcServer(f"127.0.0.1:{server.grpc_port}", "expression"),
        RestServer(f"127.0.0.1:{server.rest_port}", "expression"),
        backends["TFLite"],
    ):
        jsonl = tmp_path / "faces.jsonl"
        options = Options(headless=True, sources=(str(video),), jsonl=jsonl)
        Program(options, backend).run()
        lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
        keys = ("frame", "track", "box", "label", "version")
        written.append([[line[key] for key in keys] for line in lines])
    assert len(written[0]) == 8
    assert written[0] == written[1] == written[2]


def test_a_version_that_is_not_loaded_is_told(server: ServerProcess) -> None:
    face = [np.zeros((48, 48), np.uint8)]
    for backend in (
        GrpcServer(f"127.0.0.1:{server.grpc_port}", "expression", version=1),
        RestServer(f"127.0.0.1:{server.rest_port}", "expression", version=1),
    ):
        with pytest.raises(BackendUnavailableError, match="no such model"):
            backend.predict(face)


def test_a_version_that_is_pushed_takes_over(workspace: Path, tmp_path: Path) -> None:
    face = [np.full((60, 60), 99, np.uint8)]
    base = tmp_path / "expression"
    shutil.copytree(workspace / "serving/expression/1", base / "1")
    flags = [
        "--model_name=expression",
        f"--model_base_path={base}",
        "--file_system_poll_wait_seconds=1",
    ]
    with ServerProcess(flags) as process:
        backends: list[Backend] = [
            GrpcServer(f"127.0.0.1:{process.grpc_port}", "expression"),
            RestServer(f"127.0.0.1:{process.rest_port}", "expression"),
        ]
        assert [backend.predict(face).version for backend in backends] == ["1", "1"]
        shutil.copytree(workspace / "serving/expression/2", tmp_path / "copied")
        (tmp_path / "copied").rename(base / "2")
        for backend in backends:
            assert answers_with(backend, face, "2")


def answers_with(backend: Backend, face: list[np.ndarray], version: str) -> bool:
    """Asks until a version answers, for at most 30 seconds."""
    waiting, end = threading.Event(), monotonic() + 30
    while monotonic() < end:
        try:
            if backend.predict(face).version == version:
                return True
        except BackendUnavailableError:
            pass
        waiting.wait(0.1)
    return False


def test_the_newest_pushed_tflite_is_taken_and_a_newer_one_takes_over(
    workspace: Path, tmp_path: Path
) -> None:
    face = [np.full((60, 60), 99, np.uint8)]
    base, time = tmp_path / "expression", [0.0]
    shutil.copytree(workspace / "edge/expression/1", base / "1")
    backend = PushedModel(base, clock=lambda: time[0])
    assert backend.predict(face).version == "1"
    shutil.copytree(workspace / "edge/expression/2", base / "2")
    time[0] += 5
    assert backend.predict(face).version == "2"
    (base / "3").mkdir()
    time[0] += 5
    assert backend.predict(face).version == "2", "a broken version must not replace one that works"


def test_without_a_pushed_model_the_shipped_one_is_taken(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = workspace / "edge/expression/1"
    monkeypatch.setattr("clients.webcam.backends.local.SHIPPED", shipped)
    backend = default_model(tmp_path / "edge/expression")
    assert backend.predict([np.zeros((48, 48), np.uint8)]).version == "shipped"


def test_messages_have_the_fields_of_the_originals() -> None:
    from google.protobuf import descriptor  # noqa: PLC0415
    from tensorflow.core.example import example_pb2  # noqa: PLC0415
    from tensorflow.core.framework import tensor_pb2  # noqa: PLC0415
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2  # noqa: PLC0415

    originals = {
        name: file.message_types_by_name[name.rpartition(".")[2]]
        for file, names in (
            (example_pb2.DESCRIPTOR, ["tensorflow.Example"]),
            (tensor_pb2.DESCRIPTOR, ["tensorflow.TensorProto"]),
            (
                predict_pb2.DESCRIPTOR,
                ["tensorflow.serving.PredictRequest", "tensorflow.serving.PredictResponse"],
            ),
            (
                get_model_metadata_pb2.DESCRIPTOR,
                [
                    "tensorflow.serving.GetModelMetadataRequest",
                    "tensorflow.serving.GetModelMetadataResponse",
                    "tensorflow.serving.SignatureDefMap",
                ],
            ),
        )
        for name in names
    }
    compared: set[str] = set()

    def compare(ours: descriptor.Descriptor, original: descriptor.Descriptor) -> None:
        if ours.full_name in compared:
            return
        compared.add(ours.full_name)
        for field in ours.fields:
            other = original.fields_by_name[field.name]
            assert (field.number, field.is_repeated) == (other.number, other.is_repeated)
            if field.message_type is not None:
                assert other.message_type is not None
                compare(field.message_type, other.message_type)
            else:
                # An enum is an int32 on the wire.
                kind = field.TYPE_INT32 if other.type == field.TYPE_ENUM else other.type
                assert field.type == kind, field.full_name

    for name, original in originals.items():
        compare(messages.POOL.FindMessageTypeByName(name), original)
    assert len(compared) > 15
