"""The soak of the server: what fails is counted, and ends nothing."""

import asyncio
import socket

from benchmarks import serving_soak


async def _driven_without_answers() -> dict[str, int]:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1")
    rest_port = server.sockets[0].getsockname()[1]
    with socket.socket() as bound:  # And does not listen.
        bound.bind(("127.0.0.1", 0))
        async with server:
            return await serving_soak._drive(bound.getsockname()[1], rest_port, seconds=0.3)


def test_a_connection_that_is_dropped_is_a_failed_request() -> None:
    counts = asyncio.run(_driven_without_answers())
    assert counts["answered"] == 0
    # Each client of either protocol goes on to its end.
    assert counts["failed"] >= 2 * serving_soak._CLIENTS
