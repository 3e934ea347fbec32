"""The live table on a terminal, and its lines in a log."""

import io

import pytest
from rich.console import Console

from pipeline.screen import RunScreen

_NODES = ["ImageExampleGen", "Trainer", "Evaluator", "Pusher"]


def _log() -> Console:
    return Console(file=io.StringIO(), width=120)


def _terminal(width: int = 120) -> Console:
    return Console(file=io.StringIO(), width=width, record=True, force_terminal=True)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _run_to_the_trainer(screen: RunScreen) -> None:
    screen.on_nodes(_NODES)
    screen.on_start("ImageExampleGen")
    screen.on_end("ImageExampleGen", 1.25, cached=True)
    screen.on_start("Trainer")


def test_a_log_gets_a_line_for_each_component_and_epoch() -> None:
    console = _log()
    with RunScreen(console) as screen:
        _run_to_the_trainer(screen)
        screen.on_progress(0.5, "epoch 1/2")
        screen.on_epoch(1, 2, {"val_accuracy": 0.75, "accuracy": 0.5})
        screen.on_end("Trainer", 63.0, cached=False)
        screen.on_start("Evaluator")
        screen.on_failure("Evaluator", 2.0)
    lines = _written(console).splitlines()
    assert [line.split() for line in lines] == [
        ["ImageExampleGen", "cached", "1.2", "s"],
        ["epoch", "1/2:", "accuracy", "0.5000,", "val_accuracy", "0.7500"],
        ["Trainer", "done", "63.0", "s"],
        ["Evaluator", "failed", "2.0", "s"],
    ]
    assert "\x1b" not in _written(console)


def test_a_log_line_is_not_wrapped_on_a_narrow_console() -> None:
    console = Console(file=io.StringIO(), width=20)
    with RunScreen(console) as screen:
        screen.on_nodes(["LastValidatedStatistics"])
        screen.on_start("LastValidatedStatistics")
        screen.on_end("LastValidatedStatistics", 0.5, cached=False)
    assert len(_written(console).splitlines()) == 1


def test_a_terminal_shows_every_component_with_its_state() -> None:
    console = _terminal()
    with RunScreen(console) as screen:
        _run_to_the_trainer(screen)
        screen.on_end("Trainer", 63.0, cached=False)
        screen.on_start("Evaluator")
        screen.on_failure("Evaluator", 2.0)
    table = console.export_text().split("Component")[-1]
    rows = {line.split()[0]: line for line in table.splitlines() if line.split()}
    assert "cached" in rows["ImageExampleGen"]
    assert "1.2" in rows["ImageExampleGen"]
    assert "done" in rows["Trainer"]
    assert "63.0" in rows["Trainer"]
    assert "failed" in rows["Evaluator"]
    assert "waiting" in rows["Pusher"]


def test_a_terminal_shows_how_far_the_running_component_is() -> None:
    console = _terminal()
    screen = RunScreen(console)
    _run_to_the_trainer(screen)
    screen.on_progress(0.5, "epoch 3/10 accuracy 0.512")
    console.print(screen._render())
    shown = console.export_text()
    assert "running" in shown
    assert "epoch 3/10 accuracy 0.512" in shown
    assert "━" in shown


def test_a_finished_component_keeps_its_last_words_and_loses_its_bar() -> None:
    console = _terminal()
    screen = RunScreen(console)
    _run_to_the_trainer(screen)
    screen.on_progress(1.0, "epoch 10/10 accuracy 0.912")
    screen.on_end("Trainer", 63.0, cached=False)
    console.print(screen._render())
    shown = console.export_text()
    assert "epoch 10/10 accuracy 0.912" in shown
    assert "━" not in shown


def test_names_and_progress_are_text_not_markup() -> None:
    console = _terminal()
    screen = RunScreen(console)
    screen.on_nodes(["[bold]Node[/bold]"])
    screen.on_start("[bold]Node[/bold]")
    screen.on_progress(0.1, "[red]class[/red]")
    console.print(screen._render())
    shown = console.export_text()
    assert "[bold]Node[/bold]" in shown
    assert "[red]class[/red]" in shown


@pytest.mark.parametrize("console", [_log(), _terminal()], ids=["log", "terminal"])
def test_progress_between_components_and_a_run_without_nodes_are_harmless(
    console: Console,
) -> None:
    with RunScreen(console) as screen:
        screen.on_progress(0.5, "nobody runs")


@pytest.mark.parametrize(
    ("error", "told"), [(RuntimeError("boom"), "failed"), (KeyboardInterrupt(), "stopped")]
)
def test_the_last_table_stays_on_a_terminal_when_the_run_ends_early(
    error: BaseException, told: str
) -> None:
    console = _terminal()
    with pytest.raises(type(error)), RunScreen(console) as screen:
        _run_to_the_trainer(screen)
        tell = screen.on_failure if told == "failed" else screen.on_stop
        tell("Trainer", 1.0)
        raise error
    last = console.export_text().split("Component")[-1]
    assert told in last
    assert "waiting" in last
