"""gRPC reflection that cannot take the threads of the other calls.

A reflection call is a stream that holds a thread for as long as its client leaves it open.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from serving.errors import StatusCode

SERVICE_NAME = reflection.SERVICE_NAME
STREAMS = 4
"""Streams open at once; more are told RESOURCE_EXHAUSTED."""


def add_reflection(services: Iterable[str], server: grpc.Server) -> None:
    """Answers reflection calls, a few at a time, on threads of their own."""
    servicer = reflection.ReflectionServicer(services)
    free = threading.Semaphore(STREAMS)

    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        if not free.acquire(blocking=False):
            context.abort(
                StatusCode.RESOURCE_EXHAUSTED, f"{STREAMS} reflection streams are open already"
            )
        try:
            yield from servicer.ServerReflectionInfo(requests, context)
        finally:
            free.release()

    # One thread more than streams: it is the one that turns the others away, so none waits.
    pool = ThreadPoolExecutor(STREAMS + 1, thread_name_prefix="reflection")
    answer.experimental_thread_pool = pool  # type: ignore[attr-defined] # As grpc_health does it.
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
        SimpleNamespace(ServerReflectionInfo=answer), server
    )
