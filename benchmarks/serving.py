"""Latency and throughput of the embedded server, as ratios to the model called in-process.

Each figure is of one-image requests. The in-process figures of the same run are the yardstick: one
call of the SavedModel's Python signature, and its best images a second in batches. The load comes
from a process of its own, which shares the machine's cores with the server and takes its part of
them. It sends requests that were serialized before and does not read the outputs of the answers,
so that the figures are the server's: one client blocks on its socket, many share an event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import platform
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import tables
from pipeline.errors import PipelineError, UserError
from serving.process import ServerProcess

CLIENTS = (1, 8, 64)
BATCH = 32
MODEL = "expression"
CONFIGS = Path(__file__).resolve().parent.parent / "serving_configs"
_CHANNELS = 4
_AIMS = (
    (("grpc", False, 1), "p50_ratio", 1.5),
    (("rest", False, 1), "p50_ratio", 2.5),
    (("grpc", True, 64), "throughput_ratio", 0.8),
    (("rest", True, 64), "throughput_ratio", 0.8),
)
_GRPC_METHOD = "/tensorflow.serving.PredictionService/Predict"


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of one request, and requests a second of all clients together.

    `server_cpu` and `load_cpu` are the milliseconds of processor time that one request took in the
    server and in the load generator.
    """

    p50: float
    p95: float
    p99: float
    per_second: float
    server_cpu: float
    load_cpu: float


class _Clock:
    """Time, and the processor time of the server and of this process, since it was made."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._began = self._now()

    def _now(self) -> tuple[float, float, float]:
        server = self._server.cpu_times()
        return time.perf_counter(), server.user + server.system, time.process_time()

    def elapsed(self) -> float:
        return time.perf_counter() - self._began[0]

    def latencies(self, seconds: Sequence[float]) -> Latencies:
        """Summarizes the latencies of the requests that ended since."""
        wall, server, load = np.subtract(self._now(), self._began)
        p50, p95, p99 = np.percentile(np.array(seconds) * 1e3, (50, 95, 99))
        count = len(seconds)
        milliseconds = server / count * 1e3, load / count * 1e3
        return Latencies(
            float(p50), float(p95), float(p99), float(count / wall), *map(float, milliseconds)
        )


def measure_in_process(
    model_path: str, image: bytes, seconds: float
) -> tuple[Latencies, Latencies]:
    """Calls the model here, one image at a time and in batches of `BATCH`.

    Returns:
      Of calls with one image and of calls with a batch; this process counts as the server.
    """
    import tensorflow as tf  # noqa: PLC0415

    signature = tf.saved_model.load(model_path).signatures["serving_default"]

    def calls(count: int) -> Latencies:
        images = np.array([image] * count, dtype=object)
        for _ in range(20):
            signature(image_bytes=tf.constant(images))
        taken, clock = [], _Clock(psutil.Process())
        while clock.elapsed() < seconds:
            started = time.perf_counter()
            outputs = signature(image_bytes=tf.constant(images))
            _ = {name: value.numpy() for name, value in outputs.items()}
            taken.append(time.perf_counter() - started)
        return clock.latencies(taken)

    return calls(1), calls(BATCH)


def _drive_one(server: psutil.Process, seconds: float, ask: Callable[[], object]) -> Latencies:
    """One client that waits for each answer, without an event loop between it and the socket."""
    taken: list[float] = []
    for share in (0.25, 1.0):  # The first part warms up.
        taken.clear()
        clock = _Clock(server)
        while clock.elapsed() < seconds * share:
            started = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - started)
    return clock.latencies(taken)


async def _drive_many(
    server: psutil.Process, clients: int, seconds: float, ask: Callable[[int], Awaitable[object]]
) -> Latencies:
    taken: list[float] = []

    async def client(number: int, clock: _Clock, until: float) -> None:
        while clock.elapsed() < until:
            started = time.perf_counter()
            await ask(number)
            taken.append(time.perf_counter() - started)

    for share in (0.25, 1.0):
        taken.clear()
        clock = _Clock(server)
        until = seconds * share
        await asyncio.gather(*(client(number, clock, until) for number in range(clients)))
    return clock.latencies(taken)


def _one_over_grpc(server: psutil.Process, port: int, message: bytes, seconds: float) -> Latencies:
    import grpc  # noqa: PLC0415

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        predict = channel.unary_unary(_GRPC_METHOD)
        return _drive_one(server, seconds, lambda: predict(message))


async def _many_over_grpc(
    server: psutil.Process, port: int, message: bytes, clients: int, seconds: float
) -> Latencies:
    import grpc  # noqa: PLC0415

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options)
        for _ in range(min(clients, _CHANNELS))
    ]
    calls = [channel.unary_unary(_GRPC_METHOD) for channel in channels]
    try:
        return await _drive_many(
            server, clients, seconds, lambda number: calls[number % len(calls)](message)
        )
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


def http_request(port: int, body: bytes) -> bytes:
    """The bytes of a POST of `body` to the predict path."""
    head = (
        f"POST /v1/models/{MODEL}:predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def body_length(head: bytes) -> int:
    """Length of the body that follows the head of an HTTP answer.

    Raises:
      UserError: the answer is not 200.
    """
    status, *headers = head.decode().split("\r\n")
    if status.split(" ", 2)[1] != "200":
        raise UserError(f"The server answered {status}.")
    fields = dict(header.lower().split(": ", 1) for header in headers if header)
    return int(fields["content-length"])


def _one_over_rest(server: psutil.Process, port: int, request: bytes, seconds: float) -> Latencies:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")

        def ask() -> None:
            connection.sendall(request)
            answers.read(body_length(b"".join(iter(answers.readline, b"\r\n"))))

        return _drive_one(server, seconds, ask)


async def _many_over_rest(
    server: psutil.Process, port: int, request: bytes, clients: int, seconds: float
) -> Latencies:
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]

    async def ask(number: int) -> None:
        reader, writer = streams[number]
        writer.write(request)
        await reader.readexactly(body_length(await reader.readuntil(b"\r\n\r\n")))

    try:
        return await _drive_many(server, clients, seconds, ask)
    finally:
        for _, writer in streams:
            writer.close()


def _load(
    pid: int, kind: str, port: int, payload: bytes, clients: int, seconds: float
) -> Latencies:
    server = psutil.Process(pid)
    if kind == "grpc":
        if clients == 1:
            return _one_over_grpc(server, port, payload, seconds)
        return asyncio.run(_many_over_grpc(server, port, payload, clients, seconds))
    request = http_request(port, payload)
    if clients == 1:
        return _one_over_rest(server, port, request, seconds)
    return asyncio.run(_many_over_rest(server, port, request, clients, seconds))


def grpc_message(image: bytes) -> bytes:
    """A serialized PredictRequest for one image."""
    from tensorflow.core.framework import types_pb2  # noqa: PLC0415
    from tensorflow_serving.apis import predict_pb2  # noqa: PLC0415

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    tensor = request.inputs["image_bytes"]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(image)
    return bytes(request.SerializeToString())


def rest_body(image: bytes) -> bytes:
    """A JSON predict request for one image."""
    return json.dumps({"instances": [{"b64": base64.b64encode(image).decode()}]}).encode()


def newest_version(base_path: Path) -> Path:
    """The highest numbered folder under a base path.

    Raises:
      UserError: there is none.
    """
    versions = [path for path in base_path.glob("*") if path.name.isdigit()]
    if not versions:
        raise UserError(f"{base_path} holds no version; run the pipeline or give another folder.")
    return max(versions, key=lambda path: int(path.name))


def main(arguments: Sequence[str]) -> int:
    """Measures and prints Markdown; `--markdown` also writes it into a page, `--output` JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument(
        "--model_base_path", type=Path, default=Path("workspace/serving/expression")
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--markdown", type=Path, help="page whose section `measured` is replaced")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    base_path = options.model_base_path.resolve()
    version = newest_version(base_path)
    image = noise_image()
    load = os.getloadavg()[0]
    in_process, batches = measure_in_process(str(version), image, options.seconds)
    batched = batches.per_second * BATCH
    lines = [
        f"`make bench-serving`, one-image requests, {options.seconds:g} s a row; a model of "
        f"{_mebibytes(version / 'variables'):.1f} MiB of variables; {platform.machine()}, "
        f"{os.cpu_count()} cores that the load generator shares; load average {load:.1f} before "
        f"the run. In-process, one image takes {in_process.p50:.2f} ms (p50; p95 "
        f"{in_process.p95:.2f}, p99 {in_process.p99:.2f}) and batches of {BATCH} reach "
        f"{batched:,.0f} images/s, at {batches.server_cpu / BATCH:.2f} ms of processor time an "
        "image. The last two columns are the processor time of a request in the server, the model "
        "included, and in the load generator.",
        "",
        "| protocol | batching | clients | p50 ms | p95 ms | p99 ms | images/s | p50 / call |"
        " throughput / batched | server CPU ms | load CPU ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    rows = []
    for row in _measure(base_path, image, options.seconds):
        row["p50_ratio"] = row["p50"] / in_process.p50
        row["throughput_ratio"] = row["per_second"] / batched
        rows.append(row)
        lines.append(_row(row))
        print(lines[-1], flush=True)
    lines += ["", *_aims(rows)]
    print("\n".join(lines[-1 - len(_AIMS) :]))
    if options.markdown:
        tables.replace_section(options.markdown, "measured", "\n".join(lines))
    if options.output:
        content = {"in_process": asdict(in_process), "batched_per_second": batched, "rows": rows}
        options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(base_path: Path, image: bytes, seconds: float) -> Iterator[dict[str, Any]]:
    payloads = {"grpc": grpc_message(image), "rest": rest_body(image)}
    with multiprocessing.get_context("spawn").Pool(1) as driver:
        for batching in (False, True):
            with ServerProcess(_flags(base_path, batching)) as server:
                ports = {"grpc": server.grpc_port, "rest": server.rest_port}
                for kind, payload in payloads.items():
                    for clients in CLIENTS:
                        measured = driver.apply(
                            _load, (server.pid, kind, ports[kind], payload, clients, seconds)
                        )
                        case = {"protocol": kind, "batching": batching, "clients": clients}
                        yield {**case, **asdict(measured)}


def _mebibytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**20


def _aims(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each aim of `_AIMS`: what was measured and whether that meets it."""
    by_case = {(row["protocol"], row["batching"], row["clients"]): row for row in rows}
    for case, key, aim in _AIMS:
        value = by_case[case][key]
        met = value <= aim if key == "p50_ratio" else value >= aim
        what = (
            "p50 of one image / call" if key == "p50_ratio" else "64 clients, throughput / batched"
        )
        bound = f"at {'most' if key == 'p50_ratio' else 'least'} {aim:g}"
        yield f"- {case[0]}, {what}: {value:.2f}; aim {bound}, {'met' if met else 'not met'}."


def _flags(base_path: Path, batching: bool) -> list[str]:
    flags = [f"--model_name={MODEL}", f"--model_base_path={base_path}"]
    if batching:
        config = CONFIGS / "batching.config"
        flags += ["--enable_batching", f"--batching_parameters_file={config}"]
    return flags


def _row(row: dict[str, Any]) -> str:
    return (
        f"| {row['protocol']} | {'on' if row['batching'] else 'off'} | {row['clients']} "
        f"| {row['p50']:.2f} | {row['p95']:.2f} | {row['p99']:.2f} | {row['per_second']:.0f} "
        f"| {row['p50_ratio']:.2f} | {row['throughput_ratio']:.2f} "
        f"| {row['server_cpu']:.2f} | {row['load_cpu']:.2f} |"
    )


def noise_image() -> bytes:
    """A JPEG of grey noise, 48 by 48."""
    import cv2  # noqa: PLC0415

    pixels = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1].tobytes())


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
