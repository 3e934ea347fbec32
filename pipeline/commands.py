"""What the command line does that needs TensorFlow: run, plan, infer the schema."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.image_example_gen.source import resolve_source
from pipeline import progress
from pipeline.config import Settings
from pipeline.console import quiet, short_path
from pipeline.drawn_sample.stored import stored_sample
from pipeline.errors import DataAnomalyError, one_sentence
from pipeline.publishing import refuse_to_displace
from pipeline.screen import RunScreen
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import tfx.v1 as tfx

    from pipeline.lineage import RunKey


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
        self._log = f"The log {short_path(log_file)}"
        self._data = data
        self._key: RunKey | None = None  # Of the run, once it begins.
        for path in (settings.infer.data, data):
            if path is not None:
                resolve_source(path)

    def execute(self) -> int:
        """Runs the whole pipeline; returns 0 when the model was pushed.

        Raises:
          PipelineError: A user's mistake, anomalies in the data, or a model that is not blessed.
        """
        if self._data is None:
            refuse_to_displace(self._workspace.serving(self._settings.data.name))
        with quiet(self._log_file) as console, one_sentence(self._log):
            self._greet(console)
            try:
                run = self._run_nodes(console, last_node=None)
            except DataAnomalyError:
                self._show_ingest(console)
                raise
            from pipeline import conclusion  # noqa: PLC0415

            conclusion.tell(console, run, self._settings, self._workspace)
            return 0

    def plan(self) -> int:
        """Prints the components that would run; writes nothing but the log."""
        with quiet(self._log_file) as console:
            pipeline = self._pipeline(self._data or str(self._workspace.sample / "<drawn>.zip"))
            table = Table("Component", "Type", "After", box=None)
            for node in pipeline.components:
                upstream = sorted(other.id for other in node.upstream_nodes)
                table.add_row(node.id, type(node).__name__, ", ".join(upstream))
            kind = resolve_source(self._data).kind if self._data is not None else "zip"
            console.print(Text(f"Data: {self._data or 'a drawn sample'} ({kind})"))
            console.print(Text(f"Workspace: {self._workspace.root}"))
            console.print(table)
            return 0

    def infer_schema(self, write: bool) -> int:
        """Prints how the data's schema differs from the curated one, and writes it on request."""
        with quiet(self._log_file) as console, one_sentence(self._log):
            self._greet(console)
            run = self._run_nodes(console, last_node="SchemaGen")
            from pipeline import lineage, metadata_store, schema_diff  # noqa: PLC0415

            connection = metadata_store.connection(self._settings, self._workspace)
            outputs = lineage.run_outputs(connection, run)
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

    def _greet(self, console: Console) -> None:
        told = self._data or "a drawn sample (give your own with --data)"
        console.print(Text(f"Data: {told}"), soft_wrap=True)
        console.print(Text(f"Log:  {short_path(self._log_file)}"), soft_wrap=True)

    def _show_ingest(self, console: Console) -> None:
        from pipeline import conclusion  # noqa: PLC0415

        if self._key is not None:
            conclusion.tell_ingest(console, self._key, self._settings, self._workspace)

    def _run_nodes(self, console: Console, last_node: str | None) -> "RunKey":
        with RunScreen(console) as screen:
            progress.listen(screen)
            try:
                data = self._data or self._drawn_sample(console)
                from pipeline import metadata_store, runner  # noqa: PLC0415

                connection = metadata_store.connection(self._settings, self._workspace)
                pipeline = self._pipeline(data)
                self._key = runner.new_run(pipeline)
                return runner.run(pipeline, screen, last_node, connection, self._key)
            finally:
                progress.listen(None)

    def _pipeline(self, data: str) -> "tfx.dsl.Pipeline":
        from pipeline.pipeline import create_pipeline  # noqa: PLC0415

        return create_pipeline(
            self._settings,
            self._workspace,
            data,
            self._settings.infer.data,
            drawn=self._data is None,
        )

    def _drawn_sample(self, console: Console) -> str:
        settings = self._settings
        return str(
            stored_sample(
                self._workspace.sample,
                settings.sample,
                settings.image.size,
                on_draw=lambda: console.print("Drawing the sample ..."),
            )
        )
