"""What came of a run: the verdict, the numbers behind it, and what was pushed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.evaluation_reader import missed_thresholds, read_changes, read_metrics
from components.image_example_gen.report import IngestReport, read_report
from components.prediction_table import PREDICTIONS_FILE
from components.robustness_report.report import PICTURE_FILE, RobustnessResults
from components.serving_check.report import ServingReport
from components.tflite_evaluator.report import EdgeReport
from pipeline.lineage import Outputs, custom_int, custom_string
from pipeline.train_record import read_train_settings


@dataclass(frozen=True)
class Pushed:
    """A version that serving or devices can take."""

    kind: str
    version: str
    path: Path


@dataclass(frozen=True)
class Outcome:
    """Everything that the end of a run tells.

    Attributes:
      ingest: What became of every file.
      metrics: The Evaluator's numbers, by name and slice.
      accuracy_change: Against the latest blessed model, if there was one.
      missed: One sentence for each threshold that was missed.
      serving: What serving the candidate showed, if that was tried here.
      edge: The TFLite models beside the SavedModel.
      pushed: Versions that are there to be taken.
      training: Folder with the Trainer's reports.
      train_settings: Those that the model was trained with, whether set or found by a search.
      unlabelled: What became of every file without a label, if there was bulk inference.
      predictions: The table of bulk inference, if there was any.
      labels: Class names, sorted.
      robustness: The SavedModel on changed images, if the run has that report.
      robustness_picture: Its picture, if there is one.
    """

    ingest: IngestReport
    metrics: dict[str, float]
    missed: list[str]
    serving: ServingReport | None
    edge: EdgeReport
    pushed: list[Pushed]
    training: Path
    accuracy_change: float | None = None
    unlabelled: IngestReport | None = None
    predictions: Path | None = None
    train_settings: dict[str, Any] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    robustness: RobustnessResults | None = None
    robustness_picture: Path | None = None


def read_outcome(outputs: Outputs) -> Outcome:
    """Reads the outcome from a run's artifacts."""
    evaluation = outputs["Evaluator", "evaluation"].uri
    edge = EdgeReport.read(outputs["TFLiteEvaluator", "evaluation"].uri)
    missed = missed_thresholds(evaluation)
    serving = _read_serving(outputs)
    # What was not blessed is neither served nor converted, which needs no saying.
    robustness = outputs.get(("RobustnessReport", "evaluation"))
    changed = RobustnessResults.read(robustness.uri) if robustness else None
    if not missed:
        missed = serving.reasons if serving is not None else []
        if changed is not None:
            missed = [*missed, *changed.missed]
    ingest = read_report(Path(outputs["ImageExampleGen", "ingest_report"].uri))
    blessed = bool(custom_int(outputs["Evaluator", "blessing"], "blessed"))
    pushed = []
    for node_id, kind in (("Pusher", "SavedModel"), ("EdgePusher", "TFLite")):
        artifact = outputs[node_id, "pushed_model"]
        if custom_int(artifact, "pushed"):
            path = Path(custom_string(artifact, "pushed_destination"))
            pushed.append(Pushed(kind, custom_string(artifact, "pushed_version"), path))
    training = Path(outputs["Trainer", "model_run"].uri)
    unlabelled = outputs.get(("UnlabelledExampleGen", "ingest_report"))
    table = outputs.get(("PredictionTable", "predictions"))
    return Outcome(
        ingest=ingest,
        metrics=read_metrics(evaluation),
        missed=[*missed, *([] if missed else edge.missed)],
        serving=serving,
        edge=edge,
        pushed=pushed,
        training=training,
        accuracy_change=read_changes(evaluation).get("accuracy"),
        train_settings=read_train_settings(training),
        unlabelled=read_report(Path(unlabelled.uri)) if unlabelled else None,
        predictions=Path(table.uri) / PREDICTIONS_FILE if table and blessed else None,
        labels=sorted(ingest.splits["train"].classes),
        robustness=changed,
        robustness_picture=Path(robustness.uri) / PICTURE_FILE if robustness else None,
    )


def _read_serving(outputs: Outputs) -> ServingReport | None:
    """The serving check's report; InfraValidator writes none but its verdict."""
    blessing = outputs.get(("ServingCheck", "blessing"))
    if blessing is None:
        return None
    if (Path(blessing.uri) / ServingReport.FILE).exists():
        return ServingReport.read(blessing.uri)
    if custom_int(blessing, "blessed"):
        return ServingReport(blessed=True)
    return ServingReport(
        blessed=False, reasons=["TensorFlow Serving did not load the model or answer for it."]
    )
