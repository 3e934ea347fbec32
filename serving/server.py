"""Puts the server together, runs it until a signal, and lets requests under way end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

from aiohttp import web

from pipeline.errors import UserError
from serving import config_files, tls
from serving.calls import Calls
from serving.config_watch import ConfigWatch
from serving.errors import ServingError
from serving.flags import ServerOptions
from serving.grpc_server import GrpcServer, worker_threads
from serving.inference import Inference
from serving.limits import Limits
from serving.loading import Loader, load_options, settle_heap
from serving.metrics import Metrics
from serving.request_log import RequestLog
from serving.rest import RestApi, RestOptions
from serving.rest_calls import RestCalls
from serving.server_core import ServerCore
from serving.version_manager import VersionManager
from serving.version_status import RetryPolicy

_log = logging.getLogger(__name__)

_READINESS_SECONDS = 1.0


class Server:
    """One process of the embedded server."""

    def __init__(self, options: ServerOptions) -> None:
        """Reads every configuration file; nothing is loaded yet.

        Raises:
          UserError: a file is missing or wrong.
        """
        self._options = options
        self._config = self._read_config()
        self._batching = (
            config_files.read_batching_options(options.batching_parameters_file)
            if options.enable_batching
            else None
        )
        self._metrics_path = config_files.read_metrics_path(options.monitoring_config_file)
        metrics = Metrics()
        limits = Limits(options.max_request_bytes, options.max_instances, options.max_image_pixels)
        inference = Inference(limits, metrics, options.enable_signature_method_name_check)
        iterations = max(options.num_request_iterations_for_warmup, 1)
        loader = Loader(
            load_options(options, self._batching),
            inference,
            metrics,
            iterations if options.enable_model_warmup else 0,
        )
        manager = VersionManager(
            loader,
            after_unload=settle_heap,
            retry=RetryPolicy(
                options.max_num_load_retries, options.load_retry_interval_micros / 1e6
            ),
            load_threads=options.num_load_threads,
            poll_seconds=options.file_system_poll_wait_seconds,
        )
        self._core = ServerCore(
            manager,
            RequestLog(metrics),
            allow_labels_for_unavailable=options.allow_version_labels_for_unavailable_models,
        )
        self._metrics = metrics
        self._calls = Calls(self._core, inference, metrics)
        self._grpc: GrpcServer | None = None
        self._rest: RestApi | None = None
        self._rest_runner: web.AppRunner | None = None

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT.

        Raises:
          UserError: the models cannot be loaded or a port is taken.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, stop)
        try:
            self._core.manager.start()
            await asyncio.to_thread(self._load_models)
            if not stop.is_set():
                await self._listen()
                await self._serve(stop)
        finally:
            await self._shut_down()

    def _on_signal(self, stop: asyncio.Event) -> None:
        stop.set()
        self._core.stop_waiting()

    def _read_config(self) -> Any:
        if self._options.model_config_file:
            return config_files.read_model_config(self._options.model_config_file)
        return config_files.single_model_config(
            self._options.model_name, self._options.model_base_path
        )

    def _load_models(self) -> None:
        try:
            self._core.apply(self._config)
        except ServingError as error:
            if error.code.name != "CANCELLED":
                raise UserError(f"Failed to start server. Error: {error}") from None

    async def _listen(self) -> None:
        options, ports = self._options, {}
        if options.port or options.ports_file or options.grpc_socket_path:
            self._grpc = GrpcServer(self._calls, options, self._batching)
            self._grpc.set_ready(self._core.ready())
            self._grpc.start()
            if self._grpc.port:
                ports["grpc"] = self._grpc.port
            if options.grpc_socket_path:
                _log.info("Serving gRPC on %s", options.grpc_socket_path)
        if options.rest_api_port or options.ports_file:
            ports["rest"] = await self._listen_for_rest()
        _log.info("Serving on %s: %s", options.bind_address, ports)
        if options.ports_file:
            await asyncio.to_thread(_write_ports, options.ports_file, ports)

    async def _listen_for_rest(self) -> int:
        options = self._options
        self._rest = RestApi(
            RestCalls(self._calls),
            self._metrics.page,
            RestOptions(
                threads=worker_threads(options.rest_api_num_threads, self._batching),
                timeout_seconds=options.rest_api_timeout_in_ms / 1e3,
                max_request_bytes=options.max_request_bytes,
                max_concurrent_requests=options.max_concurrent_requests,
                metrics_path=self._metrics_path,
                cors=options.rest_api_enable_cors_support,
            ),
        )
        context = None
        if options.rest_api_ssl_config_file:
            context = tls.http_context(options.rest_api_ssl_config_file)
        self._rest_runner = web.AppRunner(
            self._rest.application(),
            access_log=None,
            # aiohttp takes 0 for no limit.
            shutdown_timeout=max(options.drain_seconds, 1e-3),
        )
        await self._rest_runner.setup()
        site = web.TCPSite(
            self._rest_runner, options.host, options.rest_api_port, ssl_context=context
        )
        try:
            await site.start()
        except OSError as error:
            raise UserError(
                f"REST cannot listen on {options.bind_address}:{options.rest_api_port}: "
                f"{error.strerror}. Choose another --rest_api_port."
            ) from None
        return int(self._rest_runner.addresses[0][1])

    async def _serve(self, stop: asyncio.Event) -> None:
        tasks = [asyncio.create_task(self._watch_readiness())]
        if self._options.polls_model_config:
            tasks.append(asyncio.create_task(self._watch_config()))
        await stop.wait()
        for task in tasks:
            task.cancel()

    async def _watch_readiness(self) -> None:
        while self._grpc:
            self._grpc.set_ready(self._core.ready())
            await asyncio.sleep(_READINESS_SECONDS)

    async def _watch_config(self) -> None:
        watch = ConfigWatch(self._read_config, self._core.apply, lambda: self._core.applied)
        while True:
            await asyncio.sleep(self._options.model_config_file_poll_wait_seconds)
            await asyncio.to_thread(watch.look)

    async def _shut_down(self) -> None:
        _log.info("Stopping: requests under way have %g s.", self._options.drain_seconds)
        stops = []
        if self._grpc:
            stops.append(asyncio.to_thread(self._grpc.stop, self._options.drain_seconds))
        if self._rest_runner:
            stops.append(self._rest_runner.cleanup())
        await asyncio.gather(*stops)
        if self._rest:
            await asyncio.to_thread(self._rest.close)
        await asyncio.to_thread(self._core.manager.close)
        await asyncio.to_thread(self._core.request_log.close)


def _write_ports(path: str, ports: dict[str, int]) -> None:
    # Readers wait for the file, so it must appear whole.
    partial = Path(f"{path}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(ports), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"--ports_file={path} cannot be written: {error.strerror}.") from None
