"""The end of a run on the screen: data, metrics against thresholds, what was pushed."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.image_example_gen import report as ingest_report
from components.image_example_gen.report import IngestReport
from components.prediction_table import PREDICTIONS_FILE
from components.robustness_report.report import RobustnessResults
from pipeline.config import Settings
from pipeline.console import short_path
from pipeline.outcome import Outcome


def show(console: Console, outcome: Outcome, settings: Settings, report_page: Path) -> None:
    """Prints the summary of a run."""
    show_ingest(console, outcome.ingest)
    if outcome.unlabelled is not None:
        show_ingest(console, outcome.unlabelled)
    console.print(gates(outcome, settings))
    if outcome.robustness is not None and outcome.robustness.results:
        console.print(robustness(outcome.robustness))
    told = [
        f"Pushed {pushed.kind} version {pushed.version}: {short_path(pushed.path)}"
        for pushed in outcome.pushed
    ]
    if outcome.predictions is not None:
        told.append(
            f"Labels of the unlabelled images: {short_path(report_page.parent / PREDICTIONS_FILE)}"
        )
    told.append(f"Report with pictures: {short_path(report_page)}")
    for line in told:
        console.print(Text(line), soft_wrap=True)


def show_ingest(console: Console, report: IngestReport) -> None:
    """Prints what became of every file."""
    console.print(Text(ingest_report.totals(report)), soft_wrap=True)
    for table in ingest_report.render(report):
        console.print(table)


def gates(outcome: Outcome, settings: Settings) -> Table:
    """Every gate with what was measured and what was asked for."""
    table = Table(title="Gates", title_justify="left")
    table.add_column("Gate")
    table.add_column("Measured", justify="right")
    table.add_column("Asked for", justify="right")
    table.add_column("")
    for name, measured, bound, passed in gate_rows(outcome, settings):
        table.add_row(
            Text(name),
            measured,
            bound,
            Text("passed", "green") if passed else Text("missed", "red"),
        )
    return table


def robustness(report: RobustnessResults) -> Table:
    """What each change of the images costs; a drop above the bound is marked."""
    table = Table(
        title=f"Accuracy on changed images ({report.accuracy:.4f} unchanged, {report.images:,} "
        "drawn from eval)",
        title_justify="left",
    )
    table.add_column("Change")
    table.add_column("Accuracy by strength")
    table.add_column("Largest drop", justify="right")
    table.add_column(f"Bound {report.max_drop:g}")
    for name, results in report.by_perturbation().items():
        worst = max(results, key=lambda result: result.drop)
        told = ", ".join(f"{result.setting} {result.accuracy:.3f}" for result in results)
        within = report.holds(worst)
        table.add_row(
            Text(name),
            Text(told),
            f"{worst.drop:.4f}",
            Text("within", "green") if within else Text("beyond", "yellow"),
        )
    return table


def gate_rows(outcome: Outcome, settings: Settings) -> Iterator[tuple[str, str, str, bool]]:
    """Name, measured value, bound and whether it holds, for each gate of the run."""
    thresholds = settings.evaluate
    accuracy = outcome.metrics["accuracy"]
    yield (
        "accuracy",
        f"{accuracy:.4f}",
        f"≥ {thresholds.accuracy:.4f}",
        accuracy >= thresholds.accuracy,
    )
    recalls = {
        label: value
        for label in outcome.labels
        if (value := outcome.metrics.get(f"accuracy[label={label}]")) is not None
    }
    if recalls:
        label, recall = min(recalls.items(), key=lambda item: item[1])
        yield (
            f"recall of the weakest class, {ingest_report.printable(label)}",
            f"{recall:.4f}",
            f"≥ {thresholds.class_recall:.4f}",
            recall >= thresholds.class_recall,
        )
    if outcome.accuracy_change is not None:
        yield (
            "accuracy against the latest blessed model",
            f"{outcome.accuracy_change:+.4f}",
            f"≥ {thresholds.accuracy_change:+.4f}",
            outcome.accuracy_change >= thresholds.accuracy_change,
        )
    if outcome.serving is not None and outcome.serving.images:
        most = settings.serving_check.max_latency_ms
        for protocol, latency in (
            ("gRPC", outcome.serving.grpc_p95_ms),
            ("REST", outcome.serving.rest_p95_ms),
        ):
            if latency is not None:
                name = f"95th percentile of one image over {protocol}"
                yield name, f"{latency:.1f} ms", f"≤ {most:.0f} ms", latency <= most
    changed = outcome.robustness
    if changed is not None and changed.gate and changed.worst is not None:
        worst = changed.worst
        yield (
            f"accuracy lost to {worst.perturbation}: {worst.setting}",
            f"{worst.drop:.4f}",
            f"≤ {changed.max_drop:.4f}",
            changed.holds(worst),
        )
    if outcome.edge.int8 is not None and outcome.edge.saved_model_accuracy is not None:
        drop = outcome.edge.saved_model_accuracy - outcome.edge.int8.accuracy
        most = settings.edge.max_accuracy_drop
        yield "accuracy that int8 loses", f"{drop:.4f}", f"≤ {most:.4f}", drop <= most + 1e-9
