"""Artifact types of this project's components.

Their names are of the form that Kubeflow Pipelines asks of a schema's title.
"""

from tfx.types import artifact, system_artifacts


class IngestReport(artifact.Artifact):
    """What became of every file of a data source: `ingest_report.json` under the artifact's URI.

    Its custom properties `read`, `accepted` and `rejected` count the files; Kubeflow Pipelines
    takes no declared properties of a type that is not TFX's own.
    """

    TYPE_NAME = "expression.IngestReport"
    TYPE_ANNOTATION = system_artifacts.Statistics


class EdgeModel(artifact.Artifact):
    """TFLite models and their labels; not a `Model`, which is always a SavedModel here.

    Were it a `Model`, and its blessing a `ModelBlessing`, TFX's `LatestBlessedModelStrategy` would
    take it for the latest blessed model and the Evaluator would compare candidates with it.
    """

    TYPE_NAME = "expression.EdgeModel"
    TYPE_ANNOTATION = system_artifacts.Model


class EdgeBlessing(artifact.Artifact):
    """Whether an `EdgeModel` passed its gate: as `ModelBlessing`, the custom property `blessed`."""

    TYPE_NAME = "expression.EdgeBlessing"


class EdgeEvaluation(artifact.Artifact):
    """TFLite models beside their SavedModel: `edge_evaluation.json` under the artifact's URI."""

    TYPE_NAME = "expression.EdgeEvaluation"
    TYPE_ANNOTATION = system_artifacts.Metrics


class RobustnessEvaluation(artifact.Artifact):
    """Accuracy on changed images: `robustness.json` and `robustness.png` under the URI."""

    TYPE_NAME = "expression.RobustnessEvaluation"
    TYPE_ANNOTATION = system_artifacts.Metrics


class RobustnessBlessing(artifact.Artifact):
    """Whether changed images cost no more than the bound: as `ModelBlessing`, `blessed`."""

    TYPE_NAME = "expression.RobustnessBlessing"


class Predictions(artifact.Artifact):
    """Labels given to unlabelled images: `predictions.csv` under the artifact's URI."""

    TYPE_NAME = "expression.Predictions"
