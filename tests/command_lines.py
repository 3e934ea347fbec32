"""Calls of the project's command lines in processes of their own."""

import subprocess
import sys

from pipeline.config import REPOSITORY

HEAVY = {"tensorflow", "tfx", "keras", "apache_beam", "cv2", "numpy"}
"""What is not imported for an answer that needs none of it."""


def call(module: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Calls `main` of a module.

    Returns:
      The finished process, and the top-level packages that it had imported by its end.
    """
    code = (
        "import sys\n"
        f"from {module} import main\n"
        "code = 0\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('imported', *{name.partition('.')[0] for name in sys.modules})\n"
        "sys.exit(code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    result.stdout, _, imported = result.stdout.rpartition("imported")
    return result, set(imported.split())
