"""Runs all of Airflow on loopback, with the pipeline's DAG: `make airflow`.

Runs in Airflow's own environment, and ends with everything that it has started.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE_S = 20.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return process.wait()
    except KeyboardInterrupt:
        print(f"Stopping, which takes up to {PATIENCE_S:.0f} s ...", flush=True)
        return 130
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Tells the process group to stop, and ends by force what has not stopped in time.

    `airflow standalone` itself is gone at once. The others are given the time that it takes to
    stop the component that runs, which has a process group of its own.
    """
    _ignore_signals()
    _signal(process, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    while _signal(process, 0) and time.monotonic() < end:
        time.sleep(0.1)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signals the process group, if any of it is left."""
    process.poll()  # A leader that has ended counts until it is asked for.
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # As macOS calls a group that has ended.
        return False
    return True


def _interrupt(signum: int, frame: object) -> None:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """Lets no second Ctrl-C keep the parts from being stopped."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
