"""The key=value pairs of --grpc_channel_arguments."""

from __future__ import annotations

import re

from pipeline.errors import UserError

INT_MAX = 2**31 - 1
"""Most that an argument of a gRPC channel may be: it is a C int."""

_INTEGER = re.compile(r"-?\d+", re.ASCII)


def parse(text: str) -> dict[str, int | str]:
    """Reads comma-separated pairs; what looks like an integer is one.

    Raises:
      UserError: a pair has no `=`, or an integer does not fit.
    """
    arguments: dict[str, int | str] = {}
    for argument in filter(None, text.split(",")):
        key, separator, value = argument.partition("=")
        if not separator:
            raise UserError(f"--grpc_channel_arguments: '{argument}' is not key=value.")
        is_integer = _INTEGER.fullmatch(value)
        if is_integer and not -INT_MAX - 1 <= int(value) <= INT_MAX:
            raise UserError(
                f"--grpc_channel_arguments: '{argument}' is beyond the 32 bits of an integer."
            )
        arguments[key] = int(value) if is_integer else value
    return arguments
