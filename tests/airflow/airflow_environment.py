"""Airflow's own environment, which tests call as `make airflow` does."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import REPOSITORY

AIRFLOW = REPOSITORY / "orchestration" / "airflow"
PYTHON = REPOSITORY / ".airflow" / "venv" / "bin" / "python"

needs_airflow = pytest.mark.skipif(
    not PYTHON.exists(), reason="Airflow is not installed; make .airflow/venv/.locked installs it"
)


def run_inside(home: Path, code: str, **environment: str) -> Any:
    """Runs Python code in Airflow's environment, as its dag processor would.

    Args:
      home: AIRFLOW_HOME.
      code: Leaves what it has to tell in `told`.
      **environment: More environment variables.

    Returns:
      `told`, by way of JSON.
    """
    paths = f"import json, sys; sys.path[:0] = {[str(AIRFLOW / 'dags'), str(AIRFLOW / 'plugins')]}"
    result = subprocess.run(
        [str(PYTHON), "-c", f"{paths}\n{code}\nprint('told:' + json.dumps(told))"],
        env={**os.environ, "AIRFLOW_HOME": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.rpartition("told:")[2])
