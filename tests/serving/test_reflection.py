"""gRPC reflection: streams that stay open take no thread of the other calls."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from serving.reflection import STREAMS
from tests.serving.clients import DEADLINE_SECONDS
from tests.serving.single_thread import channel_to

NO_CALLS: Any = None
"""What models would answer with; only health and reflection are asked here."""


@pytest.fixture
def channel() -> Iterator[grpc.Channel]:
    """To a server with a single thread for calls."""
    with channel_to(NO_CALLS) as channel:
        yield channel


class Stream:
    """A reflection call that stays open until it is ended."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        self._call = stub.ServerReflectionInfo(iter(self._requests.get, None), DEADLINE_SECONDS)

    def services(self) -> set[str]:
        self._requests.put(reflection_pb2.ServerReflectionRequest(list_services=""))
        return {each.name for each in next(self._call).list_services_response.service}

    def end(self) -> grpc.StatusCode:
        self._requests.put(None)
        assert not list(self._call)
        return self._call.code()


def test_open_streams_take_no_thread_of_the_other_calls(channel: grpc.Channel) -> None:
    streams = [Stream(channel) for _ in range(STREAMS)]
    for stream in streams:
        assert "tensorflow.serving.PredictionService" in stream.services()
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(), DEADLINE_SECONDS
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert [stream.end() for stream in streams] == [grpc.StatusCode.OK] * STREAMS


def test_a_stream_too_many_is_turned_away_until_another_ends(channel: grpc.Channel) -> None:
    streams = [Stream(channel) for _ in range(STREAMS)]
    for stream in streams:
        stream.services()
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as caught:
            Stream(channel).services()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == f"{STREAMS} reflection streams are open already"
    streams.pop().end()
    assert Stream(channel).services()
