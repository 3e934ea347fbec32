"""Runs all of Airflow on loopback, with the pipeline's DAG: `make airflow`.

Runs in Airflow's own environment, and ends with everything that it has started.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE_S = 20.0


def environment(home: Path, pipeline: Path, port: int) -> dict[str, str]:
    """The environment variables that Airflow is configured by.

    Args:
      home: Airflow's database, logs and the password of its page.
      pipeline: The compiled pipeline.
      port: Of the page and the API; the two after it are for logs.
    """
    settings = {
        "CORE__DAGS_FOLDER": HERE / "dags",
        "CORE__PLUGINS_FOLDER": HERE / "plugins",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "API__HOST": "127.0.0.1",
        "API__PORT": port,
        "API__BASE_URL": f"http://localhost:{port}",
        "API__WORKERS": 1,
        "LOGGING__WORKER_LOG_SERVER_PORT": port + 1,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": port + 2,
        # A compiled pipeline that is written anew is seen within a minute.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "EXPRESSION_PIPELINE": str(pipeline),
        # Airflow starts its parts by the name `airflow`.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **{f"AIRFLOW__{key}": str(value) for key, value in settings.items()},
    }


def main() -> int:
    """Runs `airflow standalone` until a signal, or another command of Airflow's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="AIRFLOW_HOME")
    parser.add_argument("--pipeline", type=Path, required=True, help="the compiled pipeline")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("command", nargs="*", default=["standalone"], help="of airflow")
    options = parser.parse_args()
    home = options.home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).parent / "airflow"), *options.command]
    # `airflow standalone` leaves its parts behind when it is told to stop, so they are given a
    # process group, which is stopped as a whole.
    process = subprocess.Popen(  # noqa: S603 - airflow, with what the user has typed.
        command,
        env=environment(home, options.pipeline.absolute(), options.port),
        start_new_session=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(PATIENCE_S)


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
