"""The REST port's bounds and time limit, with calls that only remember how they were waited for."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from serving.deadline import Deadline
from serving.errors import ServingError, StatusCode
from serving.rest import RestApi, RestOptions

PATIENCE_SECONDS = 60.0
ENTERED = b"HTTP/1.1 100 Continue\r\n\r\n"


class FakeCalls:
    """Answers at once, or once nobody waits for the answer any more."""

    def __init__(self, *, waits: bool = False) -> None:
        self.waits = waits
        self.entered, self.ended = threading.Event(), threading.Event()
        self.deadline = math.inf
        self.outcome: StatusCode | None = None

    def answer(
        self, method: str, path: str, body: bytes, started: float, deadline: Deadline
    ) -> bytes:
        self.deadline = deadline.at
        self.entered.set()
        try:
            while self.waits:
                deadline.seconds_left()
        except ServingError as error:
            self.outcome = error.code
        self.ended.set()
        return b"{}"


@asynccontextmanager
async def listening(calls: Any, *, timeout_seconds: float = PATIENCE_SECONDS) -> AsyncIterator[int]:
    """The port of a server over these calls, which takes one request at a time."""
    api = RestApi(calls, lambda: b"", RestOptions(1, timeout_seconds, 1000, 1))
    runner = web.AppRunner(api.application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
        api.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def send(port: int, body: bytes, *headers: str) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = ["POST /v1/models/m:predict HTTP/1.1", "Host: x", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    return reader, writer


async def send_without_body(port: int) -> Connection:
    """A request that the server has begun to answer and whose body never comes."""
    connection = await send(port, b"", "Content-Length: 2", "Expect: 100-continue")
    assert await connection[0].readexactly(len(ENTERED)) == ENTERED
    return connection


async def status(connection: Connection) -> int:
    reader, writer = connection
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


def test_a_request_whose_body_has_not_come_counts_among_those_in_the_server() -> None:
    async def scenario() -> None:
        async with listening(FakeCalls()) as port:
            _, first = await send_without_body(port)
            assert await status(await send(port, b"{}", "Content-Length: 2")) == 429
            first.close()

    run(scenario())


def test_a_body_that_does_not_come_in_time_is_a_504() -> None:
    async def scenario() -> None:
        async with listening(FakeCalls(), timeout_seconds=0.1) as port:
            for _ in range(2):  # The first one's place is free again.
                assert await status(await send_without_body(port)) == 504

    run(scenario())


def test_the_time_that_a_body_takes_is_part_of_the_limit() -> None:
    async def scenario() -> None:
        calls = FakeCalls()
        async with listening(calls) as port:
            reader, writer = await send_without_body(port)
            before = time.monotonic()
            writer.write(b"{}")
            assert await status((reader, writer)) == 200
        assert calls.deadline <= before + PATIENCE_SECONDS

    run(scenario())


def test_a_request_whose_client_has_gone_is_told_so_to_the_calls() -> None:
    async def scenario() -> None:
        calls = FakeCalls(waits=True)
        async with listening(calls) as port:
            _, writer = await send(port, b"{}", "Content-Length: 2")
            await asyncio.to_thread(calls.entered.wait)
            writer.close()
            await asyncio.to_thread(calls.ended.wait)
        assert calls.outcome == StatusCode.CANCELLED

    run(scenario())
