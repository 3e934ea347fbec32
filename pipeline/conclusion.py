"""The end of a run: what came of it is told, written into the report page, and judged."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.image_example_gen.report import read_report
from pipeline import lineage, metadata_store, outcome, report_page, summary
from pipeline.config import Settings
from pipeline.errors import NotBlessedError
from pipeline.next_command import options_for
from pipeline.workspace import Workspace


def tell(console: Console, run: lineage.RunKey, settings: Settings, workspace: Workspace) -> None:
    """Tells the outcome of a run whose nodes have all run.

    Raises:
      NotBlessedError: A model missed a threshold and was not pushed.
    """
    outputs = lineage.run_outputs(metadata_store.connection(settings, workspace), run)
    result = outcome.read_outcome(outputs)
    page = report_page.write(workspace.reports, result, settings, run.run_id)
    summary.show(console, result, settings, page)
    if result.missed:
        what = "The TFLite model was not pushed." if result.pushed else "Nothing was pushed."
        raise NotBlessedError("\n".join([what, *result.missed]))
    if result.pushed:
        where = options_for(settings, workspace, "WORKSPACE=", "MODEL=")
        told = f"Next: make serve{where} serves it over HTTP and gRPC."
    else:
        where = options_for(settings, workspace, "--workspace=", "--set=data.name=")
        told = (
            "This model was rolled back, so it is not pushed again; "
            f"python local_runner.py restore{where} brings it back."
        )
    console.print(Text(told), soft_wrap=True)


def tell_ingest(
    console: Console, run: lineage.RunKey, settings: Settings, workspace: Workspace
) -> None:
    """Tells what became of every file of a run that went no further than validation."""
    outputs = lineage.run_outputs(metadata_store.connection(settings, workspace), run)
    report = outputs["ImageExampleGen", "ingest_report"]
    summary.show_ingest(console, read_report(Path(report.uri)))
