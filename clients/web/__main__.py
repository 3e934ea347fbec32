"""`python -m clients.web` builds the page if need be, and serves it with the pushed model."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from clients.web.build import build
from clients.web.model_folder import ModelFolder
from clients.web.server import PageServer
from pipeline.errors import PipelineError

SHIPPED = Path(__file__).parent.parent / "models" / "expression"
"""The model that comes with the project."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until interrupted.

    Returns:
        Exit code: 0, or 1 if it could not start.
    """
    options = _parse(arguments)
    bases = (
        [options.model] if options.model else [options.workspace / "edge" / options.name, SHIPPED]
    )
    try:
        server = PageServer(
            ModelFolder(*bases),
            port=options.port,
            endpoint=options.server,
            model_name=options.name,
            dist=build(),
        )
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    with server:
        print(f"The page is at {server.url} with the model in {server.models.newest()}.")
        print("Ctrl-C ends it.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clients.web", description=__doc__)
    parser.add_argument(
        "--workspace", type=Path, default=Path("workspace"), help="where the pipeline pushes models"
    )
    parser.add_argument(
        "--model", type=Path, help="folder of a model, or of versions, instead of the newest pushed"
    )
    parser.add_argument("--name", default="expression", help="the model's name")
    parser.add_argument("--port", type=int, default=8080, help="loopback port; 0 takes a free one")
    parser.add_argument(
        "--server",
        default="",
        metavar="URL",
        help="TensorFlow Serving's REST API that the page may ask instead, such as "
        "http://localhost:8501; it must allow CORS (--rest_api_enable_cors_support)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
