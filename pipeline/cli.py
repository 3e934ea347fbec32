"""The command line. Nothing here imports TensorFlow before a command needs it."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline import config
from pipeline.errors import PipelineError, UserError
from pipeline.options import Parser, add_settings_options, add_workspace_option, load_settings
from pipeline.workspace import Workspace
from pipeline.workspace_lock import locked

_EPILOG = """\
exit codes: 0 pushed; 1 bad input, setting, or a failure; 2 the data failed validation; 3 the model
missed a threshold and was not pushed; 130 stopped by Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
        settings = load_settings(options, sample=options.command == "run")
        workspace = Workspace(options.workspace.absolute())
        if options.settings:
            return _show_settings(settings)
        if options.command in _PUBLISHING:
            _refuse_options_of_runs(options)
            return _PUBLISHING[options.command](settings, workspace)
        from pipeline import commands  # noqa: PLC0415

        signal.signal(signal.SIGTERM, _interrupt)
        with locked(workspace):
            run = commands.Run(settings, workspace, options.data, _log_file(workspace))
            if options.dry_run:
                return run.plan()
            if options.infer_schema or options.write_schema:
                return run.infer_schema(write=options.write_schema)
            return run.execute()
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped. The next run goes on after the last finished component.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="local_runner.py",
        description="Turns an archive of labelled images into a gated, pushed model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=("run", *_PUBLISHING),
        default="run",
        help="run the pipeline (default); take back the newest pushed version; or undo that",
    )
    add_workspace_option(parser)
    add_settings_options(parser)
    parser.add_argument("--settings", action="store_true", help="list all settings and exit")
    parser.add_argument("--dry-run", action="store_true", help="show what would run and exit")
    parser.add_argument(
        "--infer-schema",
        action="store_true",
        help="show how the data's schema differs from schema/schema.pbtxt and exit",
    )
    parser.add_argument(
        "--write-schema", action="store_true", help="the same, and write it to schema/schema.pbtxt"
    )
    return parser


def _refuse_options_of_runs(options: argparse.Namespace) -> None:
    """Raises UserError for what would be ignored, while versions come and go all the same."""
    for name in ("dry_run", "infer_schema", "write_schema"):
        if getattr(options, name):
            raise UserError(
                f"--{name.replace('_', '-')} is for runs; leave it out, or leave out "
                f"{options.command}."
            )


def _show_settings(settings: config.Settings) -> int:
    table = Table(Column("Setting", no_wrap=True), "Value", "Meaning", box=None)
    values = config.as_dict(settings)
    for name, field in config.names().items():
        value = values
        for key in name.split("."):
            value = value[key]
        table.add_row(Text(name), Text(str(value)), Text(field.description or ""))
    # What is no terminal has no width; 80 columns would fold what people search for.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def _rollback(settings: config.Settings, workspace: Workspace) -> int:
    from pipeline.publishing import rollback_pair  # noqa: PLC0415

    # Without the workspace's lock: a bad model must not wait for a training to end, and the
    # folders of versions have locks of their own.
    name = settings.data.name
    serving, edge = rollback_pair(workspace.serving(name), workspace.edge(name))
    print(f"Serving is back from version {serving.from_version} to {serving.to_version}.")
    if edge is not None and edge.to_version is not None:
        print(f"Edge is back from version {edge.from_version} to {edge.to_version}.")
    elif edge is not None:
        print(f"Edge version {edge.from_version} is withdrawn; none is left.")
    print("`restore` undoes it.")
    return 0


def _restore(settings: config.Settings, workspace: Workspace) -> int:
    from pipeline.publishing import restore_pair  # noqa: PLC0415

    name = settings.data.name
    serving, edge = restore_pair(workspace.serving(name), workspace.edge(name))
    print(f"Serving version {serving} is back.")
    if edge is not None:
        print(f"Edge version {edge} is back.")
    return 0


def _log_file(workspace: Workspace) -> Path:
    return workspace.logs / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


_PUBLISHING = {"rollback": _rollback, "restore": _restore}
