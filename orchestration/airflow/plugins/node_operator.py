"""The operator that runs one node of the compiled pipeline, in TFX's own environment."""

import os
from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

_MISTAKE, _ANOMALIES, _NOT_BLESSED = 1, 2, 3
"""Exit codes of `python -m pipeline.node` after which trying again would change nothing."""


class NodeOperator(BaseOperator):
    """Calls `python -m pipeline.node`; all that it prints is in the task's log."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        directory: str,
        parameters: Sequence[dict[str, str]] = (),
        skip_not_blessed: bool = False,
        **kwargs: Any,
    ) -> None:
        """Makes the task.

        Args:
          command: Program, command and options; Airflow's run id is added as TFX's.
          directory: Where it is run.
          parameters: Runtime parameters, which are taken from the DAG run's params.
          skip_not_blessed: A model that is not blessed ends the task as skipped, not failed.
          **kwargs: Of Airflow's BaseOperator.
        """
        super().__init__(**kwargs)
        self.command = list(command)
        self.directory = directory
        self.parameters = [(one["name"], one["option"]) for one in parameters]
        self.skip_not_blessed = skip_not_blessed
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> None:
        """Runs the node, and tells a user's mistake from what trying again may mend."""
        command = [*self.command, f"--run-id={context['run_id']}"]
        command += [f"{option}{context['params'][name]}" for name, option in self.parameters]
        # Airflow's own packages are nothing to TFX's Python.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        result = self._hook.run_command(command, env=environment, cwd=self.directory)
        match result.exit_code:
            case 0:
                return
            case code if code == _NOT_BLESSED and self.skip_not_blessed:
                raise AirflowSkipException("The model was not blessed; the log above says why.")
            case code if code == _NOT_BLESSED:
                raise AirflowFailException("The model was not blessed; the log above says why.")
            case code if code in (_MISTAKE, _ANOMALIES):
                raise AirflowFailException(result.output)
            case code if code < 0:
                raise AirflowException(f"{self.task_id} was ended by signal {-code}.")
            case _:
                raise AirflowException(result.output)

    def on_kill(self) -> None:
        """Stops the node, as Ctrl-C does; what it has done so far is taken up by the next try."""
        self._hook.send_sigterm()
