"""The command line of the node program. Nothing here imports TensorFlow before it is needed."""

import argparse
import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import options, run_parameters
from pipeline.errors import ComponentError, PipelineError
from pipeline.node.compiled import CompiledPipeline
from pipeline.workspace import Workspace

_EPILOG = """\
exit codes: 0 done; 1 bad input or setting; 2 the data failed validation; 3 the model missed a
threshold and was not pushed (of report); 4 a component failed, and trying again may help; 130
stopped by Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    try:
        chosen = _parser().parse_args(arguments)
        signal.signal(signal.SIGTERM, _interrupt)
        if chosen.command == "compile":
            return _compile(chosen)
        compiled = CompiledPipeline.read(chosen.ir or Workspace(chosen.workspace).compiled)
        if chosen.command == "run":
            values = run_parameters.values(chosen.data, chosen.set)
            compiled.check_run(chosen.node, values)
            from pipeline.node import commands  # noqa: PLC0415

            return commands.run(compiled, chosen.node, chosen.run_id, values)
        from pipeline.node import commands  # noqa: PLC0415

        return commands.report(compiled, chosen.run_id)
    except ComponentError as error:
        print(error, file=sys.stderr)
        return 4
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where it was.", file=sys.stderr)
        return 130


def _compile(chosen: argparse.Namespace) -> int:
    settings = options.load_settings(chosen)
    workspace = Workspace(chosen.workspace.absolute())
    from pipeline.node import commands  # noqa: PLC0415

    return commands.compile_pipeline(
        settings, workspace, chosen.data, chosen.ir or workspace.compiled
    )


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        prog="python -m pipeline.node",
        description="Compiles the pipeline, and runs one node of it alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("compile", help="write the compiled pipeline as JSON")
    options.add_settings_options(one)
    options.add_workspace_option(one)
    _add_ir(one)

    one = commands.add_parser("run", help="run one node under a run id", epilog=_EPILOG)
    options.add_workspace_option(one)
    _add_ir(one)
    one.add_argument("--node", metavar="ID", required=True, help="id of the node")
    _add_run_id(one)
    options.add_data_option(one, "that of the compiled pipeline is taken")
    settings = [parameter.setting for parameter in run_parameters.ALL if parameter.setting]
    options.add_set_option(one, f"for this run, on each of its nodes: one of {', '.join(settings)}")

    one = commands.add_parser("report", help="tell what came of a run", epilog=_EPILOG)
    options.add_workspace_option(one)
    _add_ir(one)
    _add_run_id(one)
    return parser


def _add_ir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ir",
        metavar="FILE",
        type=Path,
        help="the compiled pipeline (default: pipeline.json in the workspace)",
    )


def _add_run_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run-id", metavar="ID", required=True, help="any text; the same for every node of a run"
    )


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    code = main()
    # The interpreter's last collections would walk all of TensorFlow and Beam for three seconds.
    gc.freeze()
    sys.exit(code)
