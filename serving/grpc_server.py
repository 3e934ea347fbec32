"""The gRPC port: services, health, reflection, bounds and TLS."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from pipeline.errors import UserError
from serving import channel_arguments, reflection, service_descriptors, tls
from serving.calls import Calls
from serving.config_files import BatchingOptions
from serving.flags import ServerOptions
from serving.grpc_services import ModelService, PredictionService

_SERVICES = (service_descriptors.PREDICTION_SERVICE, service_descriptors.MODEL_SERVICE)
_THREADS_PER_CPU = 4
_MAX_BATCHING_THREADS = 256


def worker_threads(configured: int, batching: BatchingOptions | None) -> int:
    """Threads that answer requests, when none are configured enough to fill two batches.

    TensorFlow Serving's batching guide asks for twice `max_batch_size` callers, since each waits
    while its batch forms.
    """
    if configured:
        return configured
    threads = _THREADS_PER_CPU * (os.cpu_count() or 1)
    if batching:
        threads = max(threads, min(2 * batching.max_batch_size, _MAX_BATCHING_THREADS))
    return threads


class GrpcServer:
    """A gRPC server that is not yet started."""

    def __init__(
        self, calls: Calls, options: ServerOptions, batching: BatchingOptions | None
    ) -> None:
        """Binds the port, the socket, or both; `port` is 0 without one.

        Raises:
          UserError: one of them is taken, or the TLS files are wrong.
        """
        threads = worker_threads(options.grpc_max_threads, batching)
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            options=_channel_arguments(options),
            maximum_concurrent_rpcs=options.max_concurrent_requests,
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(calls), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(calls), self._server)
        self._health = health.HealthServicer()
        services = [*_SERVICES, reflection.SERVICE_NAME]
        if options.enable_grpc_healthcheck_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
            services.append(health.SERVICE_NAME)
        service_descriptors.register()
        reflection.add_reflection(services, self._server)
        self.port = self._bind(options)

    def start(self) -> None:
        """Answers from now on."""
        self._server.start()

    def set_ready(self, ready: bool) -> None:
        """Tells health checks whether every model can answer."""
        status = health_pb2.HealthCheckResponse
        for service in ("", *_SERVICES):
            self._health.set(service, status.SERVING if ready else status.NOT_SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Takes no new request, and waits for those under way."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_seconds).wait()

    def _bind(self, options: ServerOptions) -> int:
        credentials = None
        if options.ssl_config_file:
            credentials = tls.grpc_credentials(options.ssl_config_file)
        port = 0
        if options.port or options.ports_file:
            # Without brackets gRPC takes the port of an IPv6 address for its last group.
            host = f"[{options.host}]" if ":" in options.host else options.host
            port = self._add(f"{host}:{options.port}", "port", credentials)
        if options.grpc_socket_path:
            self._add(f"unix:{options.grpc_socket_path}", "grpc_socket_path", credentials)
        return port

    def _add(self, address: str, flag: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials:
                return int(self._server.add_secure_port(address, credentials))
            return int(self._server.add_insecure_port(address))
        except RuntimeError:
            raise UserError(
                f"gRPC cannot listen on {address}; another program may hold it. Choose another "
                f"--{flag}, or stop that program."
            ) from None


def _channel_arguments(options: ServerOptions) -> list[tuple[str, int | str]]:
    arguments = {
        "grpc.max_receive_message_length": options.max_request_bytes,
        "grpc.max_send_message_length": -1,
        # A second server on the same port must fail rather than share its requests.
        "grpc.so_reuseport": 0,
    }
    return list((arguments | channel_arguments.parse(options.grpc_channel_arguments)).items())
