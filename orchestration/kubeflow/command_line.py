"""The command line of `kubeflow_runner.py`."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import Settings
from pipeline.console import quiet
from pipeline.errors import PipelineError, UserError
from pipeline.options import Parser, add_settings_options, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
        settings = load_settings(options)
        # What libraries print on the way is of no use to the person who asked.
        with tempfile.TemporaryDirectory() as folder, quiet(Path(folder, "log")):
            answer = _COMMANDS[options.command](options, settings)
        print(answer)
        return 0
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="kubeflow_runner.py",
        description="Compiles the pipeline for Kubeflow Pipelines, and submits it.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compiling = commands.add_parser("compile", help="write the job as YAML, pipeline spec 2.1")
    compiling.add_argument(
        "--output",
        metavar="FILE.yaml",
        type=Path,
        default=Path("pipeline.yaml"),
        help="where to (default: pipeline.yaml)",
    )
    submitting = commands.add_parser("submit", help="compile, and start a run or a schedule")
    submitting.add_argument(
        "--host", metavar="URL", required=True, help="Kubeflow Pipelines' API, as kfp takes it"
    )
    submitting.add_argument(
        "--namespace", metavar="NAME", help="the user's namespace, if the cluster has several"
    )
    submitting.add_argument(
        "--experiment", metavar="NAME", help="experiment to file runs under (default: data.name)"
    )
    submitting.add_argument(
        "--cron",
        metavar="EXPRESSION",
        help="run on a schedule, such as '0 0 3 * * *', daily at three (seconds come first), or "
        "@weekly, and not at once",
    )
    for command in (compiling, submitting):
        add_settings_options(command)
    return parser


def _compile(options: argparse.Namespace, settings: Settings) -> str:
    from orchestration.kubeflow import job  # noqa: PLC0415

    compiled = job.compile_pipeline(settings, options.data)
    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        job.write(compiled, options.output)
    except OSError as error:
        raise UserError(f"{options.output} can't be written: {error.strerror}.") from None
    return f"Written to {options.output}."


def _submit(options: argparse.Namespace, settings: Settings) -> str:
    if options.cron is not None:
        _check_cron(options.cron)
    from orchestration.kubeflow import job, submission  # noqa: PLC0415

    target = submission.Target(
        host=options.host,
        namespace=options.namespace,
        experiment=options.experiment or settings.data.name,
    )
    compiled = job.compile_pipeline(settings, options.data)
    return submission.submit(compiled, target, cron=options.cron)


def _check_cron(expression: str) -> None:
    """Refuses the five fields of other crons, which Kubeflow would read as starting with seconds.

    Raises:
      UserError: It has not six fields, and is no `@daily` or the like.
    """
    fields = len(expression.split())
    if fields != _CRON_FIELDS and not expression.startswith("@"):
        raise UserError(
            f"The cron expression {expression!r} can't have {fields} fields; give six, seconds "
            "first, such as '0 0 3 * * *', or @daily and the like."
        )


_CRON_FIELDS = 6
_COMMANDS = {"compile": _compile, "submit": _submit}
