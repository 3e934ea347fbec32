"""What the command line does that needs TensorFlow: run, plan, infer the schema."""

import difflib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.image_example_gen.source import DataSource, resolve_source
from pipeline import progress
from pipeline.config import DataSettings, SampleSettings, Settings
from pipeline.console import quiet, short_path
from pipeline.drawn_sample import draw_archive
from pipeline.errors import DataAnomalyError, NotBlessedError, PipelineError
from pipeline.fingerprint import code_fingerprint, value_fingerprint
from pipeline.screen import RunScreen
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import tfx.v1 as tfx


class Run:
    """One call of the local runner."""

    def __init__(self, settings: Settings, workspace: Workspace, data: str | None, log_file: Path):
        """Checks the inputs.

        Args:
          settings: All settings.
          workspace: The workspace, which the caller has locked.
          data: What `--data` names; none draws a sample.
          log_file: Where libraries print.

        Raises:
          UserError: The data can't be used.
        """
        self._settings = settings
        self._workspace = workspace
        self._log_file = log_file
        self._data = data
        self._unlabelled = resolve_source(settings.infer.data) if settings.infer.data else None
        self._source = resolve_source(data) if data is not None else None

    def execute(self) -> int:
        """Runs the whole pipeline; returns 0 when the model was pushed.

        Raises:
          PipelineError: A user's mistake, anomalies in the data, or a model that is not blessed.
        """
        with quiet(self._log_file) as console:
            self._greet(console)
            try:
                run_id = self._run_nodes(console, last_node=None)
            except DataAnomalyError:
                self._show_ingest(console)
                raise
            from pipeline import lineage, outcome, report_page, summary  # noqa: PLC0415

            outputs = lineage.run_outputs(self._workspace.metadata_db, run_id)
            result = outcome.read_outcome(outputs)
            page = report_page.write(self._workspace.reports, result, self._settings, run_id)
            summary.show(console, result, self._settings, page)
            if result.missed:
                what = (
                    "The TFLite model was not pushed." if result.pushed else "Nothing was pushed."
                )
                raise NotBlessedError("\n".join([what, *result.missed]))
            if result.pushed:
                where = self._where("WORKSPACE=", "MODEL=")
                told = f"Next: make serve{where} serves it over HTTP and gRPC."
            else:
                where = self._where("--workspace=", "--set=data.name=")
                told = (
                    "This model was rolled back, so it is not pushed again; "
                    f"python local_runner.py restore{where} brings it back."
                )
            console.print(Text(told), soft_wrap=True)
            return 0

    def plan(self) -> int:
        """Prints the components that would run; writes nothing but the log."""
        with quiet(self._log_file) as console:
            source = self._source or DataSource("zip", str(self._workspace.sample), "<drawn>.zip")
            pipeline = self._pipeline(source)
            table = Table("Component", "Type", "After", box=None)
            for node in pipeline.components:
                upstream = sorted(other.id for other in node.upstream_nodes)
                table.add_row(node.id, type(node).__name__, ", ".join(upstream))
            console.print(Text(f"Data: {self._data or 'a drawn sample'} ({source.kind})"))
            console.print(Text(f"Workspace: {self._workspace.root}"))
            console.print(table)
            return 0

    def infer_schema(self, write: bool) -> int:
        """Prints how the data's schema differs from the curated one, and writes it on request."""
        with quiet(self._log_file) as console:
            self._greet(console)
            run_id = self._run_nodes(console, last_node="SchemaGen")
            from pipeline import lineage, schema_diff  # noqa: PLC0415

            outputs = lineage.run_outputs(self._workspace.metadata_db, run_id)
            curated, inferred = schema_diff.texts(Path(outputs["SchemaGen", "schema"].uri))
            lines = list(
                difflib.unified_diff(
                    curated.splitlines(),
                    inferred.splitlines(),
                    "schema/schema.pbtxt",
                    "inferred from the data",
                    lineterm="",
                    n=2,
                )
            )
            for line in lines:
                style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
                console.print(Text(line, style=style), soft_wrap=True)
            if not lines:
                console.print("The data's schema is schema/schema.pbtxt.")
            elif write:
                schema_diff.write(inferred)
                console.print("Written to schema/schema.pbtxt; look it over before you commit it.")
            else:
                console.print("Run again with --write-schema to take it over.")
            return 0

    def _where(self, workspace: str, model: str) -> str:
        """What the next command adds to find the model: options of these names, if not defaults."""
        options = {
            workspace: (str(self._workspace.root), str(Path("workspace").absolute())),
            model: (self._settings.data.name, DataSettings().name),
        }
        return "".join(
            f" {shlex.quote(prefix + value)}"
            for prefix, (value, default) in options.items()
            if value != default
        )

    def _greet(self, console: Console) -> None:
        told = self._data or "a drawn sample (give your own with --data)"
        console.print(Text(f"Data: {told}"), soft_wrap=True)
        console.print(Text(f"Log:  {short_path(self._log_file)}"), soft_wrap=True)

    def _show_ingest(self, console: Console) -> None:
        """What became of every file of a run that went no further than validation."""
        from components.image_example_gen.report import read_report  # noqa: PLC0415
        from pipeline import lineage, summary  # noqa: PLC0415

        database = self._workspace.metadata_db
        outputs = lineage.run_outputs(database, lineage.newest_run(database) or "")
        report = outputs["ImageExampleGen", "ingest_report"]
        summary.show_ingest(console, read_report(Path(report.uri)))

    def _run_nodes(self, console: Console, last_node: str | None) -> str:
        with RunScreen(console) as screen:
            progress.listen(screen)
            try:
                source = self._source or self._drawn_sample(console)
                return self._guarded(console, lambda: self._launch(screen, source, last_node))
            finally:
                progress.listen(None)

    def _launch(self, screen: RunScreen, source: DataSource, last_node: str | None) -> str:
        from pipeline import runner  # noqa: PLC0415

        pipeline = self._pipeline(source)
        return runner.run(pipeline, screen, last_node)

    def _pipeline(self, source: DataSource) -> "tfx.dsl.Pipeline":
        from pipeline.pipeline import create_pipeline  # noqa: PLC0415

        return create_pipeline(
            self._settings,
            self._workspace,
            source,
            self._unlabelled,
            drawn=self._source is None,
        )

    def _guarded(self, console: Console, launch: Callable[[], str]) -> str:
        try:
            return launch()
        except PipelineError:
            raise
        except Exception as error:
            import traceback  # noqa: PLC0415

            traceback.print_exc()
            first = str(error).strip().splitlines() or [""]
            raise PipelineError(
                f"A component failed: {type(error).__name__}: {first[0][:300]}. "
                f"The log {short_path(self._log_file)} has the whole of it."
            ) from None

    def _drawn_sample(self, console: Console) -> DataSource:
        sample = self._settings.sample
        path = self._workspace.sample / f"drawn-sample-{_sample_fingerprint(sample)}.zip"
        if not path.exists():
            console.print("Drawing the sample ...")
            draw_archive(
                path,
                train_per_class=sample.train_per_class,
                eval_per_class=sample.eval_per_class,
                seed=sample.seed,
                size=self._settings.image.size,
            )
            for old in self._workspace.sample.iterdir():  # Of other settings, or cut short.
                if old != path:
                    old.unlink()
        return resolve_source(str(path))


def _sample_fingerprint(sample: SampleSettings) -> str:
    return value_fingerprint([sample.model_dump(), code_fingerprint("pipeline.drawn_sample")])
