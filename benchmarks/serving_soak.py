"""Full load for minutes, with swaps of the version: is memory flat, does anything fail?

`python -m benchmarks.serving_soak --seconds 600` drives gRPC and REST from a process of its own,
swaps the version every half minute, and prints the server's memory and counts each minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.serving import (
    CONFIGS,
    MODEL,
    grpc_message,
    newest_version,
    noise_image,
    rest_body,
)
from pipeline.errors import PipelineError
from serving.process import ServerProcess

_CLIENTS = 16
_MEBIBYTE = 2**20


async def _drive(grpc_port: int, rest_port: int, seconds: float) -> dict[str, int]:
    import aiohttp  # noqa: PLC0415
    import grpc  # noqa: PLC0415

    message, body = grpc_message(noise_image()), rest_body(noise_image())
    counts = {"answered": 0, "failed": 0}
    until = time.monotonic() + seconds
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}")
    predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    url = f"http://127.0.0.1:{rest_port}/v1/models/{MODEL}:predict"

    async with aiohttp.ClientSession() as session:

        async def over_grpc() -> None:
            while time.monotonic() < until:
                try:
                    await predict(message)
                    counts["answered"] += 1
                except grpc.RpcError:
                    counts["failed"] += 1

        async def over_rest() -> None:
            while time.monotonic() < until:
                try:
                    async with session.post(url, data=body) as answer:
                        await answer.read()
                        counts["answered" if answer.status == 200 else "failed"] += 1
                except (aiohttp.ClientError, TimeoutError):
                    counts["failed"] += 1

        drivers = [over_grpc() for _ in range(_CLIENTS)] + [over_rest() for _ in range(_CLIENTS)]
        await asyncio.gather(*drivers)
    await channel.close()
    return counts


def _load(grpc_port: int, rest_port: int, seconds: float) -> dict[str, int]:
    return asyncio.run(_drive(grpc_port, rest_port, seconds))


def main(arguments: Sequence[str]) -> int:
    """Runs the soak and prints what it saw; exits with 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_soak")
    parser.add_argument(
        "--model_base_path", type=Path, default=Path("workspace/serving/expression")
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--swap_seconds", type=float, default=30.0, help="between two versions")
    parser.add_argument("--markdown", type=Path, help="page whose section `soak` is replaced")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    source = newest_version(options.model_base_path.resolve())
    samples: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(source, Path(folder) / "1")
        flags = [
            f"--model_name={MODEL}",
            f"--model_base_path={folder}",
            "--enable_batching",
            f"--batching_parameters_file={CONFIGS / 'batching.config'}",
        ]
        with (
            ServerProcess(flags) as server,
            multiprocessing.get_context("spawn").Pool(1) as driver,
        ):
            load = driver.apply_async(_load, (server.grpc_port, server.rest_port, options.seconds))
            began, version, swapped = time.monotonic(), 1, time.monotonic()
            while not load.ready():
                load.wait(5.0)
                now = time.monotonic()
                if now - swapped > options.swap_seconds:
                    swapped, version = now, version + 1
                    _push(source, Path(folder), version)
                memory = server.resident_bytes() / _MEBIBYTE
                samples.append({"seconds": now - began, "mib": memory, "version": version})
                if len(samples) % 12 == 0:
                    print(f"{now - began:5.0f} s  {memory:6.0f} MiB  version {version}", flush=True)
            counts = load.get()
    result = {"load": os.getloadavg()[0], **counts, "swaps": version - 1, "samples": samples}
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}))
    if options.markdown:
        tables.replace_section(options.markdown, "soak", _told(options, result))
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if counts["failed"] else 0


def _told(options: argparse.Namespace, result: dict[str, Any]) -> str:
    samples = result["samples"]
    marks = [samples[len(samples) * part // 10] for part in (2, 4, 6, 8)] + samples[-1:]
    memory = ", ".join(f"{each['mib']:.0f} after {each['seconds']:.0f} s" for each in marks)
    return (
        f"`python -m benchmarks.serving_soak --seconds {options.seconds:g}`: "
        f"{result['answered']:,} requests over both protocols by {2 * _CLIENTS} clients with "
        f"batching, {result['swaps']} swaps of the version, {result['failed']} failed. Resident "
        f"memory in MiB: {memory}; {max(each['mib'] for each in samples):.0f} at most, while two "
        f"versions were loaded (load average {result['load']:.1f})."
    )


def _push(source: Path, base_path: Path, version: int) -> None:
    partial = base_path / f".partial-{version}"
    shutil.copytree(source, partial)
    partial.rename(base_path / str(version))
    if version > 2:
        shutil.rmtree(base_path / str(version - 2))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
