"""Hands a compiled job to a Kubeflow Pipelines server, for one run or for a schedule."""

import json
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

import kfp
import kfp_server_api
import urllib3

from orchestration.kubeflow import job
from orchestration.kubeflow.specification import Job
from pipeline.errors import UserError

_LONGEST_REASON = 500


class Target(NamedTuple):
    """Where runs go.

    Attributes:
      host: URL of the API, as `kfp.Client` takes it.
      namespace: The user's, on a cluster of several users.
      experiment: Made if there is none of that name.
    """

    host: str
    namespace: str | None
    experiment: str


def submit(compiled: Job, target: Target, cron: str | None = None) -> str:
    """Starts a run, or a recurring run.

    Args:
      compiled: The job.
      target: Where it goes.
      cron: Six fields, seconds first, or `@daily` and the like; none starts one run at once.

    Returns:
      What was started, for people.

    Raises:
      UserError: The server can't be reached, or refuses the job.
    """
    name = compiled.pipeline["pipelineInfo"]["name"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "pipeline.yaml")
            job.write(compiled, file)
            client = kfp.Client(host=target.host, namespace=target.namespace or "kubeflow")
            if cron is None:
                run = client.create_run_from_pipeline_package(
                    str(file),
                    experiment_name=target.experiment,
                    namespace=target.namespace,
                    pipeline_root=compiled.pipeline.get("defaultPipelineRoot"),
                )
                return f"Started the run {run.run_id} of {name}."
            experiment = client.create_experiment(target.experiment, namespace=target.namespace)
            # A run that was missed is not made up for: the newest data are what counts.
            recurring = client.create_recurring_run(
                experiment_id=experiment.experiment_id,
                job_name=name,
                cron_expression=cron,
                no_catchup=True,
                max_concurrency=1,
                pipeline_package_path=str(file),
                pipeline_root=compiled.pipeline.get("defaultPipelineRoot"),
            )
            return (
                f"Scheduled {name} at {cron!r} as the recurring run {recurring.recurring_run_id}."
            )
    except kfp_server_api.ApiException as error:
        raise UserError(f"{target.host} refused the job: {_told(error)}.") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UserError(
            f"Kubeflow Pipelines can't be reached at {target.host}: {type(error).__name__}."
        ) from None


def _told(error: kfp_server_api.ApiException) -> str:
    """The status, and the server's reason if it gave one."""
    status, body = f"{error.status} {error.reason}", error.body or ""
    try:
        answer = json.loads(body)
        reason = answer.get("message") or answer.get("error") or ""
    except (ValueError, AttributeError):
        # Of a proxy before it: a sentence, or a page that is for browsers.
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        reason = "" if text.lstrip().startswith("<") else text
    if not reason:
        return status
    return f"{status}: {textwrap.shorten(str(reason), _LONGEST_REASON).rstrip('.')}"
