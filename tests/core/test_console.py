"""One stream for people: what libraries print goes to the log, from Python and from C alike."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import REPOSITORY
from pipeline.console import quiet

_PROGRAM = """
import logging, os, sys
from pathlib import Path
from pipeline.config import REPOSITORY
from pipeline.console import quiet

with quiet(Path(sys.argv[1])) as console:
    print("from Python")
    print("from Python's errors", file=sys.stderr)
    os.write(1, b"from C\\n")
    os.write(2, b"from C's errors\\n")
    logging.getLogger("tfx").info("from a logger")
    console.print("for people")
print("after")
"""


def test_what_libraries_print_goes_to_the_log_and_the_console_to_the_screen(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(log)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == "for people\nafter\n"
    assert result.stderr == ""
    written = log.read_text()
    for told in ("from Python", "from Python's errors", "from C", "from C's errors"):
        assert f"{told}\n" in written
    assert "INFO tfx: from a logger" in written
    assert "for people" not in written


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_the_streams_come_back_whatever_happens(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], error: BaseException
) -> None:
    with pytest.raises(type(error)), quiet(tmp_path / "run.log"):
        raise error
    os.write(1, b"out again\n")
    os.write(2, b"err again\n")
    screen = capfd.readouterr()
    assert screen.out == "out again\n"
    assert screen.err == "err again\n"


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    for text in (b"first\n", b"second\n"):
        with quiet(log):
            os.write(1, text)
    assert log.read_text() == "first\nsecond\n"
