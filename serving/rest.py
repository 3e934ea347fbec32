"""TensorFlow Serving's REST API on aiohttp.

The event loop only moves bytes: each request is parsed, computed and written in a worker thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from serving.deadline import Deadline
from serving.errors import HTTP_STATUS, ServingError, StatusCode, from_exception
from serving.rest_answers import error_answer
from serving.rest_calls import RestCalls

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


@dataclass(frozen=True)
class RestOptions:
    """How the REST port behaves.

    Attributes:
      threads: worker threads.
      timeout_seconds: longest time a request may take, arriving, in the queue and computing.
      max_request_bytes: largest body, unpacked.
      max_concurrent_requests: requests in the server at once; more are told 429.
      metrics_path: path of the Prometheus page, empty for none.
      cors: add CORS headers.
    """

    threads: int
    timeout_seconds: float
    max_request_bytes: int
    max_concurrent_requests: int
    metrics_path: str = ""
    cors: bool = False


class RestApi:
    """Answers HTTP requests; `application` is what aiohttp serves."""

    def __init__(
        self, calls: RestCalls, metrics_page: Callable[[], bytes], options: RestOptions
    ) -> None:
        self._calls = calls
        self._metrics_page = metrics_page
        self._options = options
        self._under_way = 0
        self._workers = ThreadPoolExecutor(options.threads, thread_name_prefix="rest")

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application(client_max_size=self._options.max_request_bytes)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    def close(self) -> None:
        """Ends the worker threads once their requests are answered."""
        self._workers.shutdown(wait=True)

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if self._options.metrics_path and path == self._options.metrics_path:
            page = await self._in_worker(self._metrics_page)
            return web.Response(body=page, content_type="text/plain")
        headers = _CORS if self._options.cors else None
        if self._options.cors and request.method == "OPTIONS":
            return web.Response(headers=headers)
        status, body = await self._answer(request, path)
        return web.Response(
            status=status, body=body, content_type="application/json", headers=headers
        )

    async def _answer(self, request: web.Request, path: str) -> tuple[int, bytes]:
        if not path.lower().startswith("/v1/"):
            return 404, error_answer(ServingError(StatusCode.NOT_FOUND, f"Not Found: {path}"))
        started = time.perf_counter()
        try:
            async with self._bounds():
                deadline = Deadline.after(
                    self._options.timeout_seconds or None, lambda: request.transport is not None
                )
                content = await self._read(request)
                answer = await self._in_worker(
                    lambda: self._calls.answer(request.method, path, content, started, deadline)
                )
        except web.HTTPRequestEntityTooLarge:
            limit = self._options.max_request_bytes
            error = ServingError(
                StatusCode.RESOURCE_EXHAUSTED, f"The request is larger than {limit} bytes"
            )
            return 413, error_answer(error)
        except Exception as failure:
            error = from_exception(failure)
            return HTTP_STATUS[error.code], error_answer(error)
        return 200, answer

    async def _read(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except (web.RequestPayloadError, ValueError) as error:
            raise ServingError(
                StatusCode.INVALID_ARGUMENT, f"The body cannot be read: {error}"
            ) from None

    @asynccontextmanager
    async def _bounds(self) -> AsyncIterator[None]:
        if self._under_way >= self._options.max_concurrent_requests:
            raise ServingError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"The server is answering {self._under_way} requests already",
            )
        self._under_way += 1
        try:
            async with asyncio.timeout(self._options.timeout_seconds or None):
                yield
        except TimeoutError:
            raise ServingError(
                StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for notification"
            ) from None
        finally:
            self._under_way -= 1

    async def _in_worker(self, work: Callable[[], bytes]) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)
