"""Outcomes of a request, in the codes that TensorFlow, gRPC and TensorFlow Serving share."""

from __future__ import annotations

import grpc

StatusCode = grpc.StatusCode

_BY_NUMBER = {code.value[0]: code for code in StatusCode}

HTTP_STATUS = {
    StatusCode.OK: 200,
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNAUTHENTICATED: 401,
}
"""HTTP status of each code, as in TensorFlow Serving's `http_server.cc`."""


class ServingError(Exception):
    """A request or a load that failed, with the code and the sentence a client sees."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """The form in which TensorFlow Serving quotes one status inside another."""
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """A request that this server will never accept."""
    return ServingError(StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """A model, version or file that is not there."""
    return ServingError(StatusCode.NOT_FOUND, message)


def from_exception(error: Exception) -> ServingError:
    """Maps any exception to what the client is told.

    TensorFlow's errors carry the same code numbers as gRPC's. Anything else is a fault of this
    server, told as INTERNAL with the exception's type.
    """
    if isinstance(error, ServingError):
        return error
    number = getattr(error, "error_code", None)
    if number in _BY_NUMBER:
        return ServingError(_BY_NUMBER[number], str(getattr(error, "message", error)).strip())
    return ServingError(StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
