"""The local runner's command line, noting when each component ends and each step of training."""

import argparse
import functools
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from rich.console import Console

from benchmarks.measure import Marks
from pipeline import cli, commands
from pipeline.screen import RunScreen


class RecordingScreen(RunScreen):
    """The screen of a run, which also marks the end of each component as a phase."""

    def __init__(self, marks: Marks, epochs: list[list[float]], console: Console):
        super().__init__(console)
        self._marks = marks
        self._epochs = epochs
        self._training = False

    def on_nodes(self, node_ids: list[str]) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._marks.end("Startup")
        super().on_nodes(node_ids)

    def on_start(self, node_id: str) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._training = node_id == "Trainer"
        super().on_start(node_id)

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._marks.end(node_id)
        super().on_end(node_id, seconds, cached)

    def on_progress(self, fraction: float, text: str) -> None:
        """See `pipeline.progress.ProgressListener`."""
        if self._training:
            self._epochs[-1].append(time.monotonic())
        super().on_progress(fraction, text)

    def on_epoch(
        self, epoch: int, epochs: int, metrics: Mapping[str, float], whose: str = ""
    ) -> None:
        """See `pipeline.progress.ProgressListener`."""
        self._epochs.append([])
        super().on_epoch(epoch, epochs, metrics, whose)


def main() -> int:
    """Runs the pipeline with the arguments of `local_runner.py` and writes the marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    options, arguments = parser.parse_known_args()
    marks = Marks()
    epochs: list[list[float]] = [[]]
    screen = functools.partial(RecordingScreen, marks, epochs)
    with mock.patch.object(commands, "RunScreen", screen):
        code = cli.main(arguments)
    marks.end("Summary")
    marks.write(options.output, epochs=epochs)
    return code


if __name__ == "__main__":
    sys.exit(main())
