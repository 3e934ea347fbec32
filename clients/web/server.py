"""Serves the built page and the pushed model on loopback."""

import hashlib
import json
import re
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clients.web.build import DIST
from clients.web.model_folder import MANIFEST_FILE, ModelFolder
from pipeline.errors import UserError

_LAST_PORT = 65535
_MODEL_FILE = re.compile(r"^/model/([0-9]+)/(model_float32\.tflite|model_int8\.tflite)$")


class PageServer(ThreadingHTTPServer):
    """An HTTP server for one page; a context manager closes it."""

    daemon_threads = True

    def __init__(
        self,
        models: ModelFolder,
        *,
        port: int = 0,
        endpoint: str = "",
        model_name: str = "expression",
        dist: Path = DIST,
    ) -> None:
        """Binds the port; `serve_forever` answers.

        Args:
            models: the model that the page runs.
            port: loopback port; 0 takes a free one.
            endpoint: TensorFlow Serving's REST API, such as `http://localhost:8501`, that the page
                may ask instead; empty for none.
            model_name: name of the model there.
            dist: the built page.

        Raises:
            UserError: the page is not built, there is no model, the endpoint is not an http(s)
                address, or the port is taken or none.
        """
        if not 0 <= port <= _LAST_PORT:
            raise UserError(f"--port {port} is no port; ports go from 0 to {_LAST_PORT}.")
        if not (dist / "index.html").is_file():
            raise UserError(f"{dist} holds no page; build it with `npm run build`.")
        models.newest()
        self.models = models
        self.dist = dist
        self.origin = _origin(endpoint) if endpoint else ""
        self.settings = {
            "server": {"url": self.origin, "model": model_name} if endpoint else None,
        }
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be used: {error.strerror}; choose another with --port."
            ) from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 - declared so by the base class
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".json": "application/json",
        ".wasm": "application/wasm",
        "": "application/octet-stream",
    }

    def __init__(self, request: Any, address: Any, server: PageServer) -> None:
        super().__init__(request, address, server, directory=str(server.dist))

    def do_GET(self) -> None:
        """Answers the page's settings; everything else is a file."""
        if urlsplit(self.path).path != "/settings.json":
            super().do_GET()
            return
        body = json.dumps(self.server.settings).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path: str) -> str:
        """Maps /model/ to the pushed model, and the rest to the built page."""
        location = urlsplit(path).path
        if not location.startswith("/model/"):
            return super().translate_path(path)
        try:
            if location == "/model/manifest.json":
                return str(self.server.models.newest() / MANIFEST_FILE)
            if match := _MODEL_FILE.match(location):
                return str(self.server.models.version(int(match[1])) / match[2])
        except UserError as error:
            self.log_error("%s", error)
        return str(self.server.dist / "missing")

    def send_head(self) -> BytesIO | None:
        """Answers a file, unless the browser has stored one of the same content.

        By content and not by date: a version that is rolled back to is older than the one before,
        and another model may have the same version.
        """
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        try:
            content = path.read_bytes()
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        is_stored = tag in self.headers.get("If-None-Match", "")
        self.send_response(HTTPStatus.NOT_MODIFIED if is_stored else HTTPStatus.OK)
        self.send_header("ETag", tag)
        if not is_stored:
            self.send_header("Content-Type", self.guess_type(path))
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return None if is_stored else BytesIO(content)

    def end_headers(self) -> None:
        """Adds what keeps the page to its own origin and the chosen server."""
        policy = {
            "default-src": "'none'",
            # LiteRT.js compiles WebAssembly.
            "script-src": "'self' 'wasm-unsafe-eval'",
            "style-src": "'self'",
            "img-src": "'self'",
            "media-src": "blob:",
            "connect-src": f"'self' {self.server.origin}".strip(),
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        self.send_header(
            "Content-Security-Policy", "; ".join(f"{key} {value}" for key, value in policy.items())
        )
        self.send_header("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        # Stored, but asked for anew each time: a build or a push shows at the next load.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of requests that went well."""

    def log_error(self, format: str, *args: object) -> None:
        """Tells of a request that failed."""
        super().log_message(format, *args)


def _origin(endpoint: str) -> str:
    wrong = UserError(f"--server {endpoint} is no address such as http://localhost:8501.")
    try:
        parts = urlsplit(endpoint)
        # A bracket without its other half, or a port that is none, raises.
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if host and not host.isascii():
        raise UserError(f"--server {endpoint}: write its host in ASCII, in the form xn--….")
    # It becomes part of a header, so nothing but an origin may pass.
    is_origin = host and re.fullmatch(r"[\w.\-\[\]:]+", parts.netloc, re.ASCII)
    if parts.scheme not in {"http", "https"} or not is_origin:
        raise wrong
    return f"{parts.scheme}://{parts.netloc}"
