"""The pipeline up to the Trainer, in this process, on faces drawn small."""

from pathlib import Path
from typing import Any

from pipeline import lineage, metadata_store, runner
from pipeline.config import Settings
from pipeline.drawn_sample import draw_archive
from pipeline.pipeline import create_pipeline
from pipeline.workspace import Workspace

SMALL = [
    "image.size=16",
    "train.epochs=1",
    "train.batch_size=16",
    "train.jit_compile=false",
    "train.validation_fraction=0.3",
    "validate.skew=1",
]
"""Settings of a training that takes seconds."""


class Silent:
    """A listener that tells nobody."""

    def on_nodes(self, node_ids: list[str]) -> None: ...

    def on_start(self, node_id: str) -> None: ...

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None: ...

    def on_failure(self, node_id: str, seconds: float) -> None: ...

    def on_stop(self, node_id: str, seconds: float) -> None: ...


def train(settings: Settings, root: Path, listener: runner.NodeListener) -> dict[Any, Any]:
    """Draws faces and runs; gives the run's artifacts by component and key.

    A second call with the same root goes on with what the first has left. A training that ended
    leaves no checkpoints.
    """
    root.mkdir(exist_ok=True)
    archive = root / "drawn.zip"
    if not archive.exists():
        draw_archive(archive, train_per_class=16, eval_per_class=4, seed=0, size=16)
    workspace = Workspace(root / "workspace")
    for folder in (workspace.root, workspace.pipeline_root):
        folder.mkdir(parents=True, exist_ok=True)
    pipeline = create_pipeline(settings, workspace, str(archive))
    run = runner.run(pipeline, listener, last_node="Trainer")
    assert list(workspace.checkpoints.iterdir()) == []
    return dict(lineage.run_outputs(metadata_store.sqlite(workspace), run))
