"""Latency and throughput of the embedded server, as ratios to the model called in-process.

Each figure is of one-image requests. The in-process figures of the same run are the yardstick: one
call of the SavedModel's Python signature, and its best images a second in batches. The load comes
from a process of its own, which shares the machine's cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import PipelineError, UserError
from serving.process import ServerProcess

CLIENTS = (1, 8, 64)
BATCH = 32
MODEL = "expression"
CONFIGS = Path(__file__).resolve().parent.parent / "serving_configs"
_GRPC_METHOD = "/tensorflow.serving.PredictionService/Predict"


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of one request, and requests a second of all clients together."""

    p50: float
    p95: float
    p99: float
    per_second: float

    @classmethod
    def of(cls, seconds: Sequence[float], elapsed: float) -> Latencies:
        """Summarizes single latencies and the time they took together."""
        p50, p95, p99 = np.percentile(np.array(seconds) * 1e3, (50, 95, 99))
        return cls(float(p50), float(p95), float(p99), len(seconds) / elapsed)


def measure_in_process(model_path: str, image: bytes, seconds: float) -> tuple[Latencies, float]:
    """Calls the model here, image by image and in batches of `BATCH`.

    Returns:
      Latencies of single images, and the images a second of batches.
    """
    import tensorflow as tf  # noqa: PLC0415

    signature = tf.saved_model.load(model_path).signatures["serving_default"]

    def calls(count: int) -> tuple[list[float], float]:
        images = np.array([image] * count, dtype=object)
        for _ in range(20):
            signature(image_bytes=tf.constant(images))
        taken, began = [], time.perf_counter()
        while time.perf_counter() - began < seconds:
            started = time.perf_counter()
            outputs = signature(image_bytes=tf.constant(images))
            _ = {name: value.numpy() for name, value in outputs.items()}
            taken.append(time.perf_counter() - started)
        return taken, time.perf_counter() - began

    single, elapsed = calls(1)
    batches, batches_elapsed = calls(BATCH)
    return Latencies.of(single, elapsed), len(batches) * BATCH / batches_elapsed


async def _drive(clients: int, seconds: float, ask: Callable[[int], Awaitable[None]]) -> Latencies:
    taken: list[float] = []

    async def client(number: int, until: float, record: bool) -> None:
        while time.perf_counter() < until:
            started = time.perf_counter()
            await ask(number)
            if record:
                taken.append(time.perf_counter() - started)

    for warm_up in (True, False):
        began = time.perf_counter()
        until = began + (seconds / 4 if warm_up else seconds)
        await asyncio.gather(*(client(n, until, not warm_up) for n in range(clients)))
    return Latencies.of(taken, time.perf_counter() - began)


async def _drive_grpc(port: int, message: bytes, clients: int, seconds: float) -> Latencies:
    import grpc  # noqa: PLC0415

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(min(clients, 4))
    ]
    calls = [channel.unary_unary(_GRPC_METHOD) for channel in channels]

    async def ask(number: int) -> None:
        await calls[number % len(calls)](message)

    try:
        return await _drive(clients, seconds, ask)
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def _drive_rest(port: int, body: bytes, clients: int, seconds: float) -> Latencies:
    import aiohttp  # noqa: PLC0415

    url = f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict"
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(_: int) -> None:
            async with session.post(url, data=body) as answer:
                content = await answer.read()
                if answer.status != 200:
                    raise UserError(f"The server answered {answer.status}: {content!r}")

        return await _drive(clients, seconds, ask)


def _load(kind: str, port: int, payload: bytes, clients: int, seconds: float) -> Latencies:
    drive = _drive_grpc if kind == "grpc" else _drive_rest
    return asyncio.run(drive(port, payload, clients, seconds))


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
    """Measures and prints a Markdown table; `--output` also writes the numbers as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving")
    parser.add_argument(
        "--model_base_path", type=Path, default=Path("workspace/serving/expression")
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    base_path = options.model_base_path.resolve()
    image = noise_image()
    started_with = os.getloadavg()[0]
    in_process, batched = measure_in_process(str(newest_version(base_path)), image, options.seconds)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {started_with:.1f} before the run\n\n"
        f"In-process: one image p50 {in_process.p50:.2f} ms, p95 {in_process.p95:.2f} ms, "
        f"p99 {in_process.p99:.2f} ms, {in_process.per_second:.0f} images/s; "
        f"batches of {BATCH}: {batched:.0f} images/s\n"
    )
    print(
        "| protocol | batching | clients | p50 ms | p95 ms | p99 ms | images/s | p50 / call |"
        " throughput / batched |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    payloads = {"grpc": grpc_message(image), "rest": rest_body(image)}
    with multiprocessing.get_context("spawn").Pool(1) as driver:
        for batching in (False, True):
            with ServerProcess(_flags(base_path, batching)) as server:
                ports = {"grpc": server.grpc_port, "rest": server.rest_port}
                for kind, payload in payloads.items():
                    for clients in CLIENTS:
                        measured = driver.apply(
                            _load, (kind, ports[kind], payload, clients, options.seconds)
                        )
                        rows.append(
                            {
                                "protocol": kind,
                                "batching": batching,
                                "clients": clients,
                                **asdict(measured),
                                "p50_ratio": measured.p50 / in_process.p50,
                                "throughput_ratio": measured.per_second / batched,
                            }
                        )
                        print(_row(rows[-1]), flush=True)
    if options.output:
        content = {"in_process": asdict(in_process), "batched_per_second": batched, "rows": rows}
        options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def _flags(base_path: Path, batching: bool) -> list[str]:
    flags = [f"--model_name={MODEL}", f"--model_base_path={base_path}"]
    if batching:
        config = CONFIGS / "batching.config"
        flags += ["--enable_batching", f"--batching_parameters_file={config}"]
    return flags


def _row(row: dict[str, float | str | bool]) -> str:
    return (
        f"| {row['protocol']} | {'on' if row['batching'] else 'off'} | {row['clients']} "
        f"| {row['p50']:.2f} | {row['p95']:.2f} | {row['p99']:.2f} | {row['per_second']:.0f} "
        f"| {row['p50_ratio']:.2f} | {row['throughput_ratio']:.2f} |"
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
