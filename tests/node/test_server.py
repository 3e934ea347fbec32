"""ML Metadata on a database server: several nodes at once, under a MariaDB of the test's own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
import pytest
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

from pipeline import config, lineage, metadata_store, runner
from pipeline.lineage import RunKey
from pipeline.workspace import Workspace
from tests.node.two_nodes import bound

_PATH = f"{os.environ['PATH']}:/usr/sbin"
_SERVER = shutil.which("mariadbd", path=_PATH)
_INSTALL = shutil.which("mariadb-install-db", path=_PATH)

pytestmark = pytest.mark.skipif(
    not (_SERVER and _INSTALL), reason="MariaDB's server is not installed"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """`run.metadata` of a server that answers on loopback."""
    user = None
    if os.geteuid() == 0:  # The server does not run as root.
        user = "mysql" if any(one.pw_name == "mysql" for one in pwd.getpwall()) else "nobody"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    # A socket's path is short, shorter than pytest's folders.
    with tempfile.TemporaryDirectory(prefix="mlmd") as name:
        folder = Path(name)
        folder.chmod(0o777)
        start = folder / "start.sql"
        start.write_text(
            "DROP USER IF EXISTS ''@'localhost';\n"
            "CREATE USER 'tfx'@'%' IDENTIFIED BY 'only a test';\n"
            "GRANT ALL ON *.* TO 'tfx'@'%';\n"
        )
        subprocess.run(
            [str(_INSTALL), "--no-defaults", f"--datadir={folder / 'data'}"],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        server = subprocess.Popen(
            [
                *(str(_SERVER), "--no-defaults", f"--datadir={folder / 'data'}"),
                *(f"--init-file={start}", f"--socket={folder / 'socket'}"),
                *(f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
                f"--pid-file={folder / 'pid'}",
            ],
            user=user,
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield f"mysql://tfx:$MLMD_PASSWORD@127.0.0.1:{port}/faces"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("MariaDB did not start")


@pytest.fixture
def connection(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConnectionConfig:
    monkeypatch.setenv("MLMD_PASSWORD", "only a test")
    settings = config.load(assignments=[f"run.metadata={address}"])
    return metadata_store.connection(settings, Workspace(tmp_path))


def test_nodes_of_several_runs_write_at_once(tmp_path: Path, connection: ConnectionConfig) -> None:
    workspace = Workspace(tmp_path)
    # The largest integer that the server takes.
    counts = {f"run {number}": 2**31 - 1 - number for number in range(4)}
    for node in ("Source", "Count"):
        irs = [bound(workspace, run_id, count) for run_id, count in counts.items()]
        with ThreadPoolExecutor(len(irs)) as threads:
            done = threads.map(runner.launch_alone, irs, repeat(node), repeat(connection))
        assert list(done) == [False] * len(irs)
    for run_id, count in counts.items():
        outputs = lineage.run_outputs(connection, RunKey("two", run_id))
        assert lineage.custom_int(outputs["Count", "statistics"], "count") == count


def test_the_cache_is_shared_too(tmp_path: Path, connection: ConnectionConfig) -> None:
    workspace = Workspace(tmp_path)
    first = bound(workspace, "first", 7, name="cached")
    second = bound(workspace, "second", 7, name="cached")
    assert not runner.launch_alone(first, "Source", connection)
    assert runner.launch_alone(second, "Source", connection)
    assert lineage.newest_run(connection) == RunKey("cached", "second")
