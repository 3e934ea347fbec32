"""What the page is served with, without a browser."""

import json
import os
import shutil
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path

import pytest

from clients.web.__main__ import main
from clients.web.build import npm
from clients.web.model_folder import ModelFolder
from clients.web.server import PageServer
from pipeline.errors import UserError


def put_version(base: Path, version: int, content: bytes = b"weights") -> Path:
    folder = base / str(version)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"version": version}))
    (folder / "model_int8.tflite").write_bytes(content)
    return folder


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "wasm").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "wasm" / "runtime.wasm").write_bytes(b"\0asm")
    return folder


@pytest.fixture
def site(tmp_path: Path, built: Path) -> Iterator[PageServer]:
    put_version(tmp_path / "edge", 1)
    models = ModelFolder(tmp_path / "edge")
    with PageServer(models, endpoint="http://localhost:8501/", dist=built) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def get(site: PageServer, path: str) -> HTTPResponse:
    return urllib.request.urlopen(site.url + path, timeout=10)  # noqa: S310 - http on loopback


def get_again(site: PageServer, path: str, before: HTTPResponse) -> bytes | None:
    """What a browser gets that stored an answer; None if it is told to use that one again."""
    names = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
    sent = {asks: before.headers[told] for told, asks in names.items() if told in before.headers}
    request = urllib.request.Request(site.url + path, headers=sent)  # noqa: S310 - http on loopback
    try:
        return bytes(urllib.request.urlopen(request, timeout=10).read())  # noqa: S310 - as above
    except urllib.error.HTTPError as answer:
        assert answer.code == HTTPStatus.NOT_MODIFIED
        return None


def test_the_newest_pushed_model_is_served_also_when_it_was_pushed_later(
    site: PageServer, tmp_path: Path
) -> None:
    assert json.load(get(site, "model/manifest.json"))["version"] == 1
    put_version(tmp_path / "edge", 10, b"newer")
    assert json.load(get(site, "model/manifest.json"))["version"] == 10
    assert get(site, "model/10/model_int8.tflite").read() == b"newer"
    assert get(site, "model/1/model_int8.tflite").read() == b"weights"


MANIFEST, WEIGHTS = "model/manifest.json", "model/1/model_int8.tflite"


@pytest.mark.parametrize("path", ["", "wasm/runtime.wasm", MANIFEST, WEIGHTS])
def test_what_did_not_change_is_not_sent_again(site: PageServer, path: str) -> None:
    assert get_again(site, path, get(site, path)) is None


def test_a_version_that_is_rolled_back_to_shows_at_the_next_load(
    site: PageServer, tmp_path: Path
) -> None:
    os.utime(tmp_path / "edge" / "1" / "manifest.json", (0, 0))
    newer = put_version(tmp_path / "edge", 2)
    stored = get(site, MANIFEST)
    shutil.rmtree(newer)
    manifest = get_again(site, MANIFEST, stored)
    assert manifest is not None
    assert json.loads(manifest)["version"] == 1


def test_another_model_of_the_same_version_shows_at_the_next_load(
    site: PageServer, tmp_path: Path
) -> None:
    stored = get(site, WEIGHTS)
    other = put_version(tmp_path / "edge-of-another-profile", 1, b"others")
    os.utime(other / "model_int8.tflite", (0, 0))
    site.models = ModelFolder(other)
    assert get_again(site, WEIGHTS, stored) == b"others"


@pytest.mark.parametrize(
    "path",
    [
        "wasm/",
        "model/",
        "model/2/model_int8.tflite",
        "model/1/labels.txt",
        "model/1/%2e%2e/manifest.json",
        "model/../../secret",
        "../server.py",
        "%2e%2e/server.py",
    ],
)
def test_nothing_else_is_served(site: PageServer, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(site, path)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("wasm/runtime.wasm", "application/wasm"),
        (MANIFEST, "application/json"),
        (WEIGHTS, "application/octet-stream"),
    ],
)
def test_a_file_has_its_media_type(site: PageServer, path: str, media_type: str) -> None:
    assert get(site, path).headers["Content-Type"] == media_type


def test_only_the_own_origin_and_the_chosen_server_may_be_asked(site: PageServer) -> None:
    policy = get(site, "").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self' http://localhost:8501;" in policy
    assert json.load(get(site, "settings.json"))["server"]["url"] == "http://localhost:8501"


def test_a_folder_of_one_model_is_used_as_it_is(tmp_path: Path) -> None:
    shipped = put_version(tmp_path / "models", 7)
    models = ModelFolder(tmp_path / "nothing pushed", shipped)
    assert models.newest() == models.version(7) == shipped


@pytest.mark.parametrize(
    "endpoint",
    [
        *("localhost:8501", "ftp://host", "http://a b", "http://x;y"),
        *("http://[::1:8501", "http://:8501", "http://host:99999"),
    ],
)
def test_an_endpoint_that_is_no_address_is_told_in_one_sentence(
    endpoint: str,
    tmp_path: Path,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("clients.web.__main__.build", lambda: built)
    model = put_version(tmp_path / "edge", 1)
    # A taken port, so that no address that passes is served for ever.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--model", str(model), "--port", port, "--server", endpoint]) == 1
    told = capsys.readouterr().err
    assert told == f"--server {endpoint} is no address such as http://localhost:8501.\n"


def test_an_endpoint_beyond_ascii_is_told_how_it_is_written(tmp_path: Path, built: Path) -> None:
    put_version(tmp_path / "edge", 1)
    with pytest.raises(UserError, match=r"write its host in ASCII, in the form xn--…"):
        PageServer(ModelFolder(tmp_path / "edge"), endpoint="http://例え:8501", dist=built)


def test_without_a_model_a_sentence_says_so(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("clients.web.__main__.build", lambda: built)
    assert main(["--model", str(tmp_path / "none"), "--port", "0"]) == 1
    assert "No model was found in" in capsys.readouterr().err


def test_a_taken_port_is_named(site: PageServer, tmp_path: Path, built: Path) -> None:
    with pytest.raises(UserError, match=f"Port {site.server_port} cannot be used"):
        PageServer(ModelFolder(tmp_path / "edge"), port=site.server_port, dist=built)


@pytest.mark.parametrize("port", [-5, 65536, 99999])
def test_a_port_that_is_none_is_told_in_one_sentence(
    port: int,
    tmp_path: Path,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("clients.web.__main__.build", lambda: built)
    model = put_version(tmp_path / "edge", 1)
    assert main(["--model", str(model), f"--port={port}"]) == 1
    assert capsys.readouterr().err == f"--port {port} is no port; ports go from 0 to 65535.\n"


def test_a_missing_npm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"npm, which builds the page, is missing"):
        npm("ci")


@pytest.mark.skipif(sys.platform == "win32", reason="writes shell scripts")
def test_a_node_that_is_too_old_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.19.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"v18\.19\.0 is too old to build the page"):
        npm("ci")
