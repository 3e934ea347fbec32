"""The folder that a pipeline works in: its metadata, artifacts, logs, reports and pushed models."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """Paths inside a workspace; nothing is made until it is written to."""

    root: Path

    @property
    def metadata_db(self) -> Path:
        """ML Metadata's SQLite file."""
        return self.root / "metadata.db"

    @property
    def pipeline_root(self) -> Path:
        """Artifacts of every execution, a folder for each component."""
        return self.root / "pipeline_root"

    @property
    def extracted(self) -> Path:
        """Unpacked archives, so that a killed extraction goes on."""
        return self.root / "extracted"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of trainings that have not ended."""
        return self.root / "checkpoints"

    @property
    def compiled(self) -> Path:
        """The compiled pipeline, as orchestrators read it."""
        return self.root / "pipeline.json"

    @property
    def sample(self) -> Path:
        """The drawn sample's archive."""
        return self.root / "sample"

    @property
    def logs(self) -> Path:
        """One log file a run."""
        return self.root / "logs"

    @property
    def reports(self) -> Path:
        """Reports of the last run, for people."""
        return self.root / "reports"

    def serving(self, model: str) -> Path:
        """Versions of the SavedModel, as TensorFlow Serving polls them."""
        return self.root / "serving" / model

    def edge(self, model: str) -> Path:
        """Versions of the TFLite model."""
        return self.root / "edge" / model
