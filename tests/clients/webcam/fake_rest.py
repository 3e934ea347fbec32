"""A server that answers as TensorFlow Serving's REST API does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.clients.webcam.fakes import LABELS


class FakeRest:
    """Says the first class of every face.

    Attributes:
      versions: Those that are available; others are not found.
      size: Side of the image it takes.
      labels: Its classes.
      paths: What was asked for.
      answer_with: A status and body to give instead; None for the right one.
    """

    def __init__(self) -> None:
        self.versions, self.size = [1], 48
        self.labels: tuple[str, ...] = LABELS
        self.paths: list[str] = []
        self.answer_with: tuple[int, bytes] | None = None
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._give(*fake.get(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._give(*fake.post(self.path, body))

            def _give(self, status: int, answer: Any) -> None:
                if fake.answer_with is not None:
                    status, content = fake.answer_with
                else:
                    content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str) -> tuple[int, Any]:
        self.paths.append(path)
        if path.endswith("/metadata"):
            dim = [{"size": str(size)} for size in (-1, self.size, self.size, 1)]
            pixels = {"inputs": {"pixels": {"tensor_shape": {"dim": dim}}}}
            return 200, {"metadata": {"signature_def": {"signature_def": {"pixels": pixels}}}}
        status = [{"version": str(v), "state": "AVAILABLE"} for v in self.versions]
        return 200, {"model_version_status": [{"version": "99", "state": "LOADING"}, *status]}

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        self.paths.append(path)
        if not any(f"/versions/{version}:" in path for version in self.versions) and (
            "/labels/" not in path
        ):
            return 404, {"error": "Servable not found"}
        if body["signature_name"] == "classify":
            return 200, {"outputs": {"classes": [list(self.labels)], "scores": [[0.5]]}}
        faces = body["inputs"]["pixels"]
        if len(faces[0]) != self.size:
            return 400, {"error": "wrong shape"}
        others = [0.1] * (len(self.labels) - 1)
        row = [1 - sum(others), *others]
        return 200, {"outputs": {"probabilities": [row] * len(faces)}}
