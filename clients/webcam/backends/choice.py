"""Which model the command line asks for."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from clients.webcam.backends import Backend
from clients.webcam.options import Options
from pipeline.errors import UserError
from pipeline.workspace import Workspace

# A name in any script, or an IPv6 address, which may name its network interface after a %.
_HOST = re.compile(r"[\w.:%-]+")
_PORTS = {"grpc": 8500, "rest+http": 8501, "rest+https": 8501}


def make_backend(options: Options) -> Backend:
    """Makes the backend asked for; only its own libraries are imported.

    Raises:
      UserError: the address or the model is wrong; see the backends.
    """
    if options.server:
        return _server(options)
    if options.tflite:
        from clients.webcam.backends.tflite import TFLiteModel  # noqa: PLC0415

        return TFLiteModel(options.tflite, options.tflite.parent.name)
    from clients.webcam.backends.local import default_model  # noqa: PLC0415

    return default_model(Workspace(Path(options.workspace)).edge(options.model))


def _server(options: Options) -> Backend:
    wrong = UserError(
        f"--server {options.server}: give grpc://host:8500, rest+http://host:8501 or rest+https://host:8501."
    )
    try:
        parts = urlsplit(options.server)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        raise wrong from None
    name = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(name) or parts.path.strip("/"):
        raise wrong
    host = f"[{name}]" if ":" in name else name
    address = f"{host}:{port}"
    if parts.scheme == "grpc":
        from clients.webcam.backends.grpc import GrpcServer  # noqa: PLC0415

        return GrpcServer(
            address,
            options.model,
            version=options.version,
            label=options.label,
            timeout=options.timeout,
        )
    from clients.webcam.backends.rest import RestServer  # noqa: PLC0415

    return RestServer(
        address,
        options.model,
        tls=parts.scheme == "rest+https",
        version=options.version,
        label=options.label,
        timeout=options.timeout,
    )
