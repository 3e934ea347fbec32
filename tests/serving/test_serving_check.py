"""The component that serves a candidate before it is pushed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tensorflow as tf
from tfx.components.pusher.executor import Executor as Pusher
from tfx.types import Artifact, artifact_utils, standard_artifacts

from components.serving_check import check
from components.serving_check.component import ServingCheck
from components.serving_check.executor import Executor, sample_images
from components.serving_check.questions import Answers, ask_over_grpc
from components.serving_check.report import NOT_BLESSED_MODEL, ServingReport
from pipeline.features import IMAGE_KEY
from serving.flags import ServerOptions
from tests.serving.tiny_model import TinyModel, png

IMAGES = 8
GENEROUS = {
    "num_images": IMAGES,
    "max_latency_ms": 5000.0,
    "max_memory_mb": 16_384,
    "startup_timeout_s": 120.0,
    "code_fingerprint": "",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = artifact_utils.encode_split_names(["train", "eval"])
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    for split in ("train", "eval"):
        folder = Path(artifact.uri) / f"Split-{split}"
        folder.mkdir()
        path = folder / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
            for seed in range(IMAGES * 2):
                image = tf.train.BytesList(value=[png(seed)])
                features = tf.train.Features(
                    feature={IMAGE_KEY: tf.train.Feature(bytes_list=image)}
                )
                writer.write(tf.train.Example(features=features).SerializeToString())
    return artifact


def model_artifact(saved_model: Path, folder: Path) -> Artifact:
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder / "model")
    shutil.copytree(saved_model, Path(artifact.uri) / "Format-Serving")
    return artifact


def faulty(folder: Path, change: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]) -> Path:
    """A model whose answers are changed inside the graph."""
    model = TinyModel(1)
    spec = tf.TensorSpec([None], tf.string, name="image_bytes")
    serve = tf.function(
        lambda image_bytes: change(model.answer(model.decode(image_bytes))), input_signature=[spec]
    )
    model.faulty = serve
    tf.saved_model.save(model, str(folder / "saved"), signatures={"serving_default": serve})
    return folder / "saved"


def run(
    saved_model: Path, examples: Artifact, folder: Path, **changes: Any
) -> tuple[Artifact, ServingReport]:
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(folder / "blessing")
    inputs = {"model": [model_artifact(saved_model, folder)], "examples": [examples]}
    model_blessing = changes.pop("model_blessing", None)
    if model_blessing is not None:
        artifact = standard_artifacts.ModelBlessing()
        artifact.set_int_custom_property("blessed", model_blessing)
        inputs["model_blessing"] = [artifact]
    Executor().Do(inputs, {"blessing": [blessing]}, {**GENEROUS, **changes})
    return blessing, ServingReport.read(blessing.uri)


def is_pushed(blessing: Artifact) -> bool:
    return bool(Pusher().CheckBlessing({"infra_blessing": [blessing]}))


def test_a_model_that_serves_well_is_blessed(
    model_root: Path, examples: Artifact, tmp_path: Path
) -> None:
    blessing, report = run(model_root / "1", examples, tmp_path, model_blessing=1)
    assert report.blessed, report.reasons
    assert report.images == IMAGES
    assert report.largest_difference is not None
    assert report.largest_difference < 1e-4
    assert report.grpc_p95_ms
    assert report.rest_p95_ms
    assert report.peak_memory_mb
    assert (Path(blessing.uri) / "INFRA_BLESSED").exists()
    assert is_pushed(blessing)


def test_an_image_beyond_the_embedded_servers_defaults_is_asked_about_all_the_same(
    model_root: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1800, 1700, 3), np.uint8)
    image = tf.io.encode_png(noise, compression=0).numpy()
    assert len(image) > ServerOptions().max_request_bytes
    bounds = check.Bounds(max_latency_ms=60_000.0, max_memory_mb=16_384, startup_timeout_s=120.0)
    report = check.check(str(model_root / "1"), [image], bounds)
    assert report.blessed, report.reasons


def test_a_model_that_is_not_blessed_is_not_served(
    model_root: Path, examples: Artifact, tmp_path: Path
) -> None:
    blessing, report = run(model_root / "1", examples, tmp_path, model_blessing=0)
    assert report.reasons == [NOT_BLESSED_MODEL]
    assert (Path(blessing.uri) / "INFRA_NOT_BLESSED").exists()
    assert not is_pushed(blessing)


def test_nan_is_not_pushed(examples: Artifact, tmp_path: Path) -> None:
    def to_nan(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**outputs, "probabilities": outputs["probabilities"] * float("nan")}

    blessing, report = run(faulty(tmp_path, to_nan), examples, tmp_path)
    assert report.reasons == [
        "Over gRPC the candidate answers NaN or infinity.",
        "Over REST the candidate answers NaN or infinity.",
    ]
    assert not is_pushed(blessing)


def test_an_answer_that_changes_by_process_is_not_pushed(
    examples: Artifact, tmp_path: Path
) -> None:
    def add_noise(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        noise = tf.random.uniform(tf.shape(outputs["probabilities"]))
        return {**outputs, "probabilities": outputs["probabilities"] + noise}

    _, report = run(faulty(tmp_path, add_noise), examples, tmp_path)
    assert "differs by" in report.reasons[0]
    assert "from the model's own answer" in report.reasons[0]


def test_a_model_that_crashes_the_server_is_not_pushed(examples: Artifact, tmp_path: Path) -> None:
    def crash(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # As much memory as no machine has: the allocation ends the process or the request.
        huge = tf.zeros([2**31 - 1, 1 + tf.shape(outputs["score"])[0] * 2**20])
        return {**outputs, "probabilities": outputs["probabilities"] + huge[0, 0]}

    _, report = run(faulty(tmp_path, crash), examples, tmp_path)
    assert not report.blessed
    (reason,) = report.reasons
    assert "crashed the server" in reason or "did not answer an image" in reason


def test_a_server_that_dies_under_a_question_is_told(
    model_root: Path, examples: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(port: int, images: object) -> Answers:
        (server,) = [
            child
            for child in psutil.Process().children()
            if "--model_name=candidate" in child.cmdline()
        ]
        server.kill()
        server.wait()
        return ask_over_grpc(port, [png(0)])

    monkeypatch.setattr(check, "ask_over_grpc", die)
    blessing, report = run(model_root / "1", examples, tmp_path)
    assert report.reasons == ["The candidate crashed the server that was asked about an image."]
    assert not is_pushed(blessing)


def test_a_slow_model_is_not_pushed(model_root: Path, examples: Artifact, tmp_path: Path) -> None:
    _, report = run(model_root / "1", examples, tmp_path, max_latency_ms=0.001)
    assert [reason.split(" is ")[0] for reason in report.reasons] == [
        "Over gRPC the 95th percentile of one image",
        "Over REST the 95th percentile of one image",
    ]


def test_a_large_model_is_not_pushed(model_root: Path, examples: Artifact, tmp_path: Path) -> None:
    _, report = run(model_root / "1", examples, tmp_path, max_memory_mb=1)
    (reason,) = report.reasons
    assert reason.endswith("MiB of memory; the limit is 1 MiB.")


def test_a_model_that_does_not_load_is_not_pushed(
    model_root: Path, examples: Artifact, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(model_root / "1", broken)
    (broken / "variables" / "variables.index").write_bytes(b"damaged")
    _, report = run(broken, examples, tmp_path)
    assert report.reasons[0].startswith("The candidate could not be served: ")
    assert "\n" not in report.reasons[0]


def test_a_model_that_loads_too_slowly_is_not_pushed(
    model_root: Path, examples: Artifact, tmp_path: Path
) -> None:
    _, report = run(model_root / "1", examples, tmp_path, startup_timeout_s=0.01)
    assert "was not ready within 0.01 s" in report.reasons[0]


def test_the_images_are_the_same_each_time(examples: Artifact) -> None:
    first = sample_images([examples], IMAGES)
    assert len(first) == IMAGES
    assert first == sample_images([examples], IMAGES)


def test_the_component_declares_an_infra_blessing() -> None:
    from tfx.types import Channel  # noqa: PLC0415

    component = ServingCheck(
        model=Channel(type=standard_artifacts.Model),
        examples=Channel(type=standard_artifacts.Examples),
    )
    assert component.outputs["blessing"].type is standard_artifacts.InfraBlessing
