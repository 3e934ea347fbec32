"""What the process does beyond answering: start, stop, push, batching, bounds, logs, metrics."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from pipeline.errors import UserError
from serving.process import ServerProcess
from tests.serving import tiny_model
from tests.serving.clients import DEADLINE_SECONDS, Target, image_request
from tests.serving.conftest import MODEL, model_config, target_of
from tests.serving.tiny_model import png

BATCHING = """
max_batch_size { value: 8 } batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 } num_batch_threads { value: 2 }
allowed_batch_sizes: [1, 4, 8]
"""


def single(root: Path, *flags: str) -> list[str]:
    return [f"--model_name={MODEL}", f"--model_base_path={root}", *flags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("process")


@pytest.fixture(scope="module")
def bounded(model_root: Path, folder: Path) -> Iterator[tuple[ServerProcess, Target]]:
    """A batching server with tight bounds that logs every request."""
    (folder / "batching.config").write_text(BATCHING)
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    logging = (
        f'logging_config {{ log_collector_config {{ filename_prefix: "{folder}/requests" }} '
        "sampling_config { sampling_rate: 1 } }"
    )
    (folder / "models.config").write_text(model_config(model_root, "latest {}", logging))
    flags = [
        f"--model_config_file={folder}/models.config",
        f"--monitoring_config_file={folder}/monitoring.config",
        "--enable_batching",
        f"--batching_parameters_file={folder}/batching.config",
        "--max_image_pixels=10000",
        "--max_instances=16",
        "--max_request_bytes=100000",
    ]
    with ServerProcess(flags) as process:
        yield process, target_of(process)


def test_batched_answers_belong_to_their_requests(
    bounded: tuple[ServerProcess, Target], model_root: Path
) -> None:
    target = bounded[1]
    images = [png(seed) for seed in range(24)]
    signature = tf.saved_model.load(str(model_root / "2")).signatures["serving_default"]
    expected = signature(image_bytes=tf.constant(images))["probabilities"].numpy()
    with ThreadPoolExecutor(len(images)) as pool:
        answers = pool.map(lambda image: target.predict(image_request(MODEL, image)), images)
    actual = [tf.make_ndarray(each.outputs["probabilities"])[0] for each in answers]
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_a_request_larger_than_a_batch_is_split(bounded: tuple[ServerProcess, Target]) -> None:
    answer = bounded[1].predict(image_request(MODEL, *[png(seed) for seed in range(13)]))
    assert len(answer.outputs["score"].float_val) == 13


def test_a_bad_image_in_a_batch_fails_only_as_a_client_error(
    bounded: tuple[ServerProcess, Target],
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(image_request(MODEL, b"no image"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_scalar_input_cannot_be_batched(bounded: tuple[ServerProcess, Target]) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(png(0)))
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def bomb() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000) + b"\0" * 50


def test_an_image_is_refused_on_the_size_it_declares(
    bounded: tuple[ServerProcess, Target],
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(image_request(MODEL, png(0), bomb()))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == (
        "image 1 of input image_bytes declares 3600000000 pixels; this server takes at most 10000"
    )


def test_an_image_inside_an_example_is_bounded_too(bounded: tuple[ServerProcess, Target]) -> None:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[bomb()]))
    example = tf.train.Example(features=tf.train.Features(feature={"image": feature}))
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "examples"
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto([example.SerializeToString()]))
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(request)
    assert "declares 3600000000 pixels" in caught.value.details()


def test_instances_are_bounded(bounded: tuple[ServerProcess, Target]) -> None:
    answer = bounded[1].post(f"/v1/models/{MODEL}:predict", {"instances": ["x"] * 17})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "input image_bytes has 17 instances; this server takes at most 16 in a request"
    )


def test_a_body_is_bounded(bounded: tuple[ServerProcess, Target]) -> None:
    answer = bounded[1].post(f"/v1/models/{MODEL}:predict", b"[" + b" " * 100_000)
    assert answer.status_code == 413
    assert answer.json()["error"] == "The request is larger than 100000 bytes"


def test_a_message_is_bounded(bounded: tuple[ServerProcess, Target]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(image_request(MODEL, b"x" * 100_000))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_tensor_is_bounded_by_what_it_declares(bounded: tuple[ServerProcess, Target]) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "divide"
    request.inputs["x"].dtype = tf.float32.as_datatype_enum
    request.inputs["x"].tensor_shape.dim.add(size=10**12)
    request.inputs["x"].float_val.append(1.0)
    with pytest.raises(grpc.RpcError) as caught:
        bounded[1].predict(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_metrics_carry_tensorflow_servings_names(bounded: tuple[ServerProcess, Target]) -> None:
    target = bounded[1]
    target.predict(image_request(MODEL, png(0)))
    target.post(f"/v1/models/{MODEL}:predict", {"instances": []})
    target.post("/v1/models/made-up:predict", {"instances": [1]})
    page = target.get("/monitoring/prometheus/metrics").text
    assert "# TYPE :tensorflow:serving:request_count counter" in page
    assert f':tensorflow:serving:request_count{{model_name="{MODEL}",status="OK"}}' in page
    status = 'status="INVALID_ARGUMENT"'
    assert f':tensorflow:serving:request_count{{model_name="{MODEL}",{status}}}' in page
    labels = f'API="Predict",entrypoint="GRPC",le="10.0",model_name="{MODEL}"'
    assert f":tensorflow:serving:request_latency_bucket{{{labels}}}" in page
    assert f':tensorflow:serving:runtime_latency_count{{API="Predict",model_name="{MODEL}"' in page
    assert ":tensorflow:cc:saved_model:load_attempt_count{" in page
    assert "made-up" not in page


def test_every_sampled_request_is_a_prediction_log(
    bounded: tuple[ServerProcess, Target], folder: Path
) -> None:
    target = bounded[1]
    target.predict(image_request(MODEL, png(5)))
    body = {"signature_name": "divide", "instances": [4.0]}
    assert target.post(f"/v1/models/{MODEL}:predict", body).status_code == 200

    def logged() -> list[prediction_log_pb2.PredictionLog]:
        files = [str(path) for path in sorted(folder.glob("requests-*.tfrecord"))]
        records = tf.data.TFRecordDataset(files).as_numpy_iterator()
        return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]

    deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
    deadline.start()
    while deadline.is_alive() and not any("x" in e.predict_log.request.inputs for e in logged()):
        pass
    deadline.cancel()
    by_input = {next(iter(entry.predict_log.request.inputs)): entry for entry in logged()}
    assert by_input["x"].predict_log.response.outputs["y"].float_val == [0.25]
    assert by_input["x"].log_metadata.model_spec.version.value == 2
    assert by_input["x"].log_metadata.sampling_config.sampling_rate == 1.0
    assert by_input["image_bytes"].log_metadata.timestamp_secs > 0


def test_health_and_reflection(bounded: tuple[ServerProcess, Target]) -> None:
    channel = bounded[1].channel
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "tensorflow.serving.PredictionService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), DEADLINE_SECONDS)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} <= {
        *services
    }


def test_the_health_service_can_be_left_out(model_root: Path) -> None:
    flags = single(model_root, "--enable_grpc_healthcheck_service=false")
    with ServerProcess(flags) as process:
        channel = target_of(process).channel
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), DEADLINE_SECONDS
            )
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert "grpc.health.v1.Health" not in services


def test_a_pushed_version_is_served_after_its_warm_up(model_root: Path, tmp_path: Path) -> None:
    root = tmp_path / MODEL
    root.mkdir()
    shutil.copytree(model_root / "1", root / "1")
    with ServerProcess(single(root)) as process:
        target = target_of(process)
        assert target.predict(image_request(MODEL, png(0))).model_spec.version.value == 1
        broken = root / "2"
        broken.mkdir()
        (broken / "saved_model.pb").write_bytes(b"\xff" * 10)
        warm_up = tiny_model.warmup_file(tmp_path / "warm_up", [png(0)], 3)
        tiny_model.export(root, 3, warm_up=warm_up)
        deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
        deadline.start()
        while deadline.is_alive() and target.versions(MODEL).get(1) != "END":
            assert target.predict(image_request(MODEL, png(0))).outputs
        deadline.cancel()
        assert target.predict(image_request(MODEL, png(0))).model_spec.version.value == 3
        assert "Number of warmup records read: 3" in process.log()


@pytest.mark.parametrize(
    ("images", "count", "sentence"),
    [
        ([b"no image"], 1, "Warm-up failed: Unknown image file format"),
        ([], 1001, "Number of warmup records exceeds the maximum (1000)"),
    ],
)
def test_a_version_whose_warm_up_fails_is_not_served(
    model_root: Path, tmp_path: Path, images: list[bytes], count: int, sentence: str
) -> None:
    root = tmp_path / MODEL
    shutil.copytree(model_root / "1", root / "1")
    extra = root / "1" / "assets.extra"
    extra.mkdir()
    warm_up = tiny_model.warmup_file(tmp_path / "warm_up", images or [png(0, 2)], count)
    (extra / "tf_serving_warmup_requests").write_bytes(warm_up)
    with pytest.raises(UserError) as caught:
        ServerProcess(single(root, "--max_num_load_retries=0"))
    assert "Failed to start server. Error: UNKNOWN: 1 model(s) did not become available" in str(
        caught.value
    )
    assert sentence in str(caught.value)


def test_labels_at_startup_need_their_flag(model_root: Path, tmp_path: Path) -> None:
    label = 'version_labels { key: "stable" value: 1 }'
    (tmp_path / "models.config").write_text(model_config(model_root, extra=label))
    with pytest.raises(UserError, match="Request to assign label to version 1 of model"):
        ServerProcess([f"--model_config_file={tmp_path / 'models.config'}"])


def test_an_edited_model_config_file_is_taken_up(model_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(model_config(model_root, "specific { versions: 1 }"))
    flags = [f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1"]
    with ServerProcess(flags) as process:
        target = target_of(process)
        path.write_text(model_config(model_root, "specific { versions: 2 }"))
        deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
        deadline.start()
        while deadline.is_alive() and target.versions(MODEL).get(1) != "END":
            pass
        deadline.cancel()
        assert target.versions(MODEL) == {2: "AVAILABLE", 1: "END"}


def test_a_model_config_that_was_refused_is_taken_up_once_it_can_be(
    model_root: Path, tmp_path: Path
) -> None:
    path, later = tmp_path / "models.config", tmp_path / "later"
    later.mkdir()
    path.write_text(model_config(model_root, "specific { versions: 1 }"))
    flags = [f"--model_config_file={path}", "--model_config_file_poll_wait_seconds=1"]
    with ServerProcess(flags) as process:
        target = target_of(process)
        model = f'name: "later" base_path: "{later}" model_platform: "tensorflow"'
        path.write_text(f"model_config_list {{ config {{ {model} }} }}")
        deadline = threading.Timer(DEADLINE_SECONDS, lambda: None)
        deadline.start()
        while deadline.is_alive() and "The model config was not reloaded" not in process.log():
            pass
        # A copy under way would be taken for a version that is broken.
        shutil.copytree(model_root / "1", tmp_path / "copy")
        (tmp_path / "copy").rename(later / "1")
        while deadline.is_alive() and "AVAILABLE" not in target.get("/v1/models/later").text:
            pass
        deadline.cancel()
        assert target.versions("later") == {1: "AVAILABLE"}


def test_a_stop_signal_lets_requests_end_and_exits_with_0(model_root: Path) -> None:
    with ServerProcess(single(model_root)) as process:
        target = target_of(process)
        request = image_request(MODEL, *[png(seed) for seed in range(512)])
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(target.predict, request)
            target.predict(image_request(MODEL, png(0)))
            os.kill(process.pid, signal.SIGTERM)
            assert len(answer.result().outputs["score"].float_val) == 512
        assert process.stop() == 0


def test_without_time_to_drain_a_request_that_never_arrives_holds_up_no_stop(
    model_root: Path,
) -> None:
    with (
        ServerProcess(single(model_root, "--drain_seconds=0")) as server,
        socket.create_connection(("127.0.0.1", server.rest_port)) as connection,
    ):
        connection.sendall(
            f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: h\r\n"
            "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n".encode()
        )
        assert connection.recv(99).startswith(b"HTTP/1.1 100")  # It is being read.
        assert server.stop() == 0


def test_a_taken_port_is_told_in_one_sentence(
    model_root: Path, bounded: tuple[ServerProcess, Target]
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "serving", f"--port={bounded[0].grpc_port}", *single(model_root)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "gRPC cannot listen on" in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_socket_may_stand_in_for_the_port(model_root: Path, tmp_path: Path) -> None:
    address = tmp_path / "grpc.sock"
    flags = ["--port=0", f"--grpc_socket_path={address}", *single(model_root)]
    # It ends with its standard input, whatever becomes of this test.
    command = [sys.executable, "-m", "serving.child", *flags]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        grpc.insecure_channel(f"unix:{address}") as channel,
    ):
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), 2 * DEADLINE_SECONDS, wait_for_ready=True
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.terminate()
        assert process.wait() == 0


def test_a_ports_file_that_cannot_be_written_is_told_in_one_sentence(
    model_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "ports").mkdir()
    flags = ["--port=0", f"--ports_file={tmp_path / 'ports'}", *single(model_root)]
    result = subprocess.run(
        [sys.executable, "-m", "serving", *flags], check=False, capture_output=True, text=True
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last == f"--ports_file={tmp_path / 'ports'} cannot be written: Is a directory."
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("address", ["::1", "[::1]"])
def test_both_ports_listen_on_an_ipv6_address(model_root: Path, address: str) -> None:
    with ServerProcess(single(model_root, f"--bind_address={address}")) as process:
        target = Target(f"[::1]:{process.grpc_port}", f"[::1]:{process.rest_port}")
        assert target.predict(image_request(MODEL, png(0))).outputs
        assert target.get(f"/v1/models/{MODEL}").status_code == 200


def test_a_wrong_flag_is_told_before_tensorflow_is_imported() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "serving", "--num_tflite_pools=1"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("--num_tflite_pools is a flag of tensorflow_model_server")
    assert len(result.stderr.splitlines()) == 1


def test_a_slow_request_over_rest_is_a_504(model_root: Path) -> None:
    with ServerProcess(single(model_root, "--rest_api_timeout_in_ms=1")) as process:
        answer = target_of(process).post(
            f"/v1/models/{MODEL}:predict",
            json.dumps({"signature_name": "pixels", "instances": [[[[0]] * 48] * 48] * 200}),
        )
    assert answer.status_code == 504
    assert answer.json() == {"error": "Timed out waiting for notification"}
