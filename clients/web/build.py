"""Builds the page from its locked packages."""

import re
import shutil
import subprocess
from pathlib import Path

from pipeline.errors import UserError

PROJECT = Path(__file__).parent
DIST = PROJECT / "dist"
"""The built page; not in version control."""

_LEAST_NODE = (20, 19)
_SOURCES = ("src/**/*", "index.html", "package.json", "package-lock.json", "*.ts", "tsconfig.json")


def build() -> Path:
    """Installs what `package-lock.json` names and builds, each only if it is not up to date.

    Returns:
        The folder of the built page.

    Raises:
        UserError: npm is missing, or what it ran failed; the message has its last words.
    """
    if not _is_current(PROJECT / "node_modules" / ".package-lock.json", ("package-lock.json",)):
        npm("ci", "--no-audit", "--no-fund")
    if not _is_current(DIST / "index.html", _SOURCES):
        npm("run", "build")
    return DIST


def npm(*arguments: str) -> str:
    """Runs npm in the page's folder and returns what it printed.

    Raises:
        UserError: npm is missing or failed, or Node.js is too old for the packages.
    """
    program, node = shutil.which("npm"), shutil.which("node")
    if program is None or node is None:
        raise UserError("npm, which builds the page, is missing; install Node.js 20.19 or later.")
    version = subprocess.run(  # noqa: S603 - what PATH has as node
        [node, "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    numbers = re.match(r"v(\d+)\.(\d+)", version)
    if numbers and tuple(map(int, numbers.groups())) < _LEAST_NODE:
        raise UserError(f"Node.js {version} is too old to build the page; install 20.19 or later.")
    command = [program, *arguments]
    ran = subprocess.run(  # noqa: S603 - npm, with our own arguments
        command, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    output = ran.stdout + ran.stderr
    if ran.returncode != 0:
        raise UserError(f"`{' '.join(['npm', *arguments])}` failed: {output[-2000:].strip()}")
    return output


def _is_current(result: Path, sources: tuple[str, ...]) -> bool:
    if not result.is_file():
        return False
    files = [path for pattern in sources for path in PROJECT.glob(pattern) if path.is_file()]
    return all(path.stat().st_mtime <= result.stat().st_mtime for path in files)
