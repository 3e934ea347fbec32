"""The live table of a run: each component, its state, its seconds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_STATES = {
    "waiting": ("·", "dim"),
    "running": ("▶", "bold cyan"),
    "done": ("✓", "green"),
    "cached": ("✓", "blue"),
    "failed": ("✗", "bold red"),
    "stopped": ("■", "yellow"),
}


@dataclass
class _Row:
    state: str = "waiting"
    started: float = 0.0
    seconds: float | None = None
    fraction: float | None = None
    text: str = ""


class RunScreen:
    """Shows a run; listens to nodes and to the progress inside them.

    On a terminal it is one table that is drawn over; elsewhere, in a log of a scheduler, say, it is
    a line for each component and epoch.
    """

    def __init__(self, console: Console):
        self._console = console
        self._rows: dict[str, _Row] = {}
        self._current: _Row | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> "RunScreen":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
            if self._rows:
                self._console.print(self._render())

    def on_nodes(self, node_ids: list[str]) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._rows = {node_id: _Row() for node_id in node_ids}

    def on_start(self, node_id: str) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._current = self._rows[node_id]
        self._current.state = "running"
        self._current.started = time.monotonic()

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._finish(node_id, "cached" if cached else "done", seconds)

    def on_failure(self, node_id: str, seconds: float) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._finish(node_id, "failed", seconds)

    def on_stop(self, node_id: str, seconds: float) -> None:
        """See `pipeline.runner.NodeListener`."""
        self._finish(node_id, "stopped", seconds)

    def on_progress(self, fraction: float, text: str) -> None:
        """See `pipeline.progress.ProgressListener`."""
        if self._current is not None:
            self._current.fraction, self._current.text = fraction, text

    def on_epoch(
        self, epoch: int, epochs: int, metrics: Mapping[str, float], whose: str = ""
    ) -> None:
        """See `pipeline.progress.ProgressListener`."""
        if not self._console.is_terminal:
            told = ", ".join(f"{key} {value:.4f}" for key, value in sorted(metrics.items()))
            self._console.print(f"  {whose}epoch {epoch}/{epochs}: {told}", soft_wrap=True)

    def _finish(self, node_id: str, state: str, seconds: float) -> None:
        row = self._rows[node_id]
        row.state, row.seconds, row.fraction = state, seconds, None
        self._current = None
        if not self._console.is_terminal:
            self._console.print(f"{node_id:<26} {state:<8} {seconds:7.1f} s", soft_wrap=True)

    def _render(self) -> RenderableType:
        table = Table(box=None, padding=(0, 1), header_style="bold")
        table.add_column("Component")
        table.add_column("State", min_width=9)
        table.add_column("Seconds", justify="right")
        table.add_column("", min_width=52)
        for node_id, row in self._rows.items():
            table.add_row(
                Text(node_id, style="" if row.state != "waiting" else "dim"),
                self._state(row),
                "" if row.state == "waiting" else f"{self._seconds(row):.1f}",
                self._progress(row),
            )
        return table

    def _state(self, row: _Row) -> RenderableType:
        sign, style = _STATES[row.state]
        if row.state == "running":
            self._spinner.update(text=Text("running", style=style))
            return self._spinner
        return Text(f"{sign} {row.state}", style=style)

    def _progress(self, row: _Row) -> RenderableType:
        if row.fraction is None:
            return Text(row.text, style="dim")
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=row.fraction, width=20)
        line.add_row(bar, Text(row.text, no_wrap=True, overflow="ellipsis"))
        return line

    @staticmethod
    def _seconds(row: _Row) -> float:
        return row.seconds if row.seconds is not None else time.monotonic() - row.started
