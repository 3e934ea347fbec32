"""A gRPC server in this process with a single thread for calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from serving.flags import ServerOptions
from serving.grpc_server import GrpcServer


@contextmanager
def channel_to(calls: Any) -> Iterator[grpc.Channel]:
    """A channel to such a server over these calls."""
    options = ServerOptions(port=0, ports_file="ports.json", grpc_max_threads=1)
    server = GrpcServer(calls, options, None)
    server.set_ready(True)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel
    server.stop(0.0)
