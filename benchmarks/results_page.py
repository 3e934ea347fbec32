"""Writes the results of a workspace's last run into a page of docs/.

    python -m benchmarks.results_page --workspace DIR [--page docs/fer2013.md]

The page's folder of the same name gets the pictures, the page's markers the tables. Figures are
the Evaluator's and the TFLite gate's; what those do not tell (calibration by bin, pairs of classes,
leaked images) is computed from the pushed SavedModel's answers to the same examples, after it was
seen that its accuracy on them is the Evaluator's. No image of the data is shown.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.result_pictures import (
    ErrorPair,
    error_pairs,
    plot_calibration,
    plot_error_pairs,
)
from benchmarks.tables import markdown_table, replace_section
from components.image_example_gen.report import IngestReport
from components.robustness_report.report import RobustnessResults
from pipeline.calibration_bins import bin_sums
from pipeline.config import REPOSITORY
from pipeline.errors import PipelineError, UserError
from pipeline.features import EVAL_SPLIT, FILE_NAME_KEY, LABEL_KEY
from pipeline.manifest import Manifest
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.outcome import Outcome

_PAIRS = 12
_TOLERANCE = 2
"""Images whose two likeliest classes may be so close that another batch size turns them."""


@dataclass(frozen=True)
class Answers:
    """A model's answers to the eval split.

    Attributes:
      labels: Class names by index.
      truth: int[n], class indices.
      probabilities: float32[n, c].
      files: The n names of the images in their archive.
    """

    labels: list[str]
    truth: np.ndarray
    probabilities: np.ndarray
    files: list[str]

    @property
    def right(self) -> np.ndarray:
        """bool[n], whether the likeliest class is the labelled one."""
        return self.probabilities.argmax(axis=1) == self.truth


def main() -> int:
    """Writes pictures and tables; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--page", type=Path, default=REPOSITORY / "docs" / "fer2013.md")
    options = parser.parse_args()
    try:
        write(Workspace(options.workspace.absolute()), options.page)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def write(workspace: Workspace, page: Path) -> None:
    """Fills in a page from the last run of a workspace.

    Args:
      workspace: Of a run that pushed a SavedModel.
      page: Markdown with the markers `figures`, `classes`, `leaks`, `errors` and `robustness`.

    Raises:
      UserError: There is no such run, its model is not the evaluated one, or a marker is missing.
    """
    import tfx.v1  # noqa: F401, PLC0415
    import tensorflow as tf  # noqa: PLC0415

    from benchmarks.run_outputs import last_outputs  # noqa: PLC0415
    from pipeline import training_report  # noqa: PLC0415
    from pipeline.outcome import read_outcome  # noqa: PLC0415

    outputs = last_outputs(workspace, "EdgePusher")
    outcome = read_outcome(outputs)
    model = next((one.path for one in outcome.pushed if one.kind == "SavedModel"), None)
    if model is None:
        raise UserError(f"The last run in {workspace.root} pushed no model; nothing is written.")
    folder = f"{outputs['ImageExampleGen', 'examples'].uri}/Split-{EVAL_SPLIT}"
    dataset = tf.data.TFRecordDataset(
        sorted(tf.io.gfile.glob(f"{folder}/*")), compression_type="GZIP"
    )
    answers = ask(model, dataset)
    check_accuracy(answers, outcome.metrics["accuracy"])

    pictures = page.with_suffix("")
    pictures.mkdir(exist_ok=True)
    shutil.copyfile(outcome.training / "history.png", pictures / "history.png")
    predicted = answers.probabilities.argmax(axis=1)
    matrix = np.zeros((len(answers.labels),) * 2, int)
    np.add.at(matrix, (answers.truth, predicted), 1)
    training_report.plot_confusion(pictures / "confusion_matrix.png", answers.labels, matrix)
    plot_calibration(
        pictures / "calibration.png",
        bin_sums(answers.truth, answers.probabilities),
        outcome.metrics["expected_calibration_error"],
    )
    pairs = error_pairs(answers.truth, answers.probabilities, answers.labels)[:_PAIRS]
    plot_error_pairs(pictures / "errors.png", pairs)
    figures = figure_table(outcome, Manifest.read(model).thresholds)
    replace_section(page, "figures", figures)
    replace_section(page, "classes", class_table(matrix, answers.labels))
    replace_section(page, "leaks", leak_table(answers, outcome.ingest))
    replace_section(page, "errors", pair_table(pairs))
    robustness = "The run has no robustness report."
    if outcome.robustness is not None and outcome.robustness_picture is not None:
        shutil.copyfile(outcome.robustness_picture, pictures / "robustness.png")
        robustness = robustness_table(outcome.robustness)
    replace_section(page, "robustness", robustness)


def ask(model: Path, dataset) -> Answers:  # type: ignore[no-untyped-def]
    """Asks a pushed SavedModel as the Evaluator does, through its signature `examples`.

    Args:
      model: The version's folder.
      dataset: tf.data.Dataset of serialized examples, string[].
    """
    import tensorflow as tf  # noqa: PLC0415

    from pipeline.signatures import read_labels  # noqa: PLC0415

    labels = read_labels(str(model))
    loaded = tf.saved_model.load(str(model))
    text = tf.io.FixedLenFeature([], tf.string)
    probabilities, truth, files = [], [], []
    for records in dataset.batch(256):
        probabilities.append(loaded.signatures["examples"](examples=records)["probabilities"])
        features = tf.io.parse_example(records, {LABEL_KEY: text, FILE_NAME_KEY: text})
        truth += [labels.index(label.decode()) for label in features[LABEL_KEY].numpy()]
        files += [name.decode() for name in features[FILE_NAME_KEY].numpy()]
    return Answers(labels, np.array(truth), np.concatenate(probabilities), files)


def check_accuracy(answers: Answers, evaluated: float) -> None:
    """Makes sure that the answers are those that the Evaluator saw.

    Raises:
      UserError: They are not.
    """
    found, count = float(answers.right.mean()), len(answers.truth)
    if abs(found - evaluated) * count > _TOLERANCE + 1e-3:
        raise UserError(
            f"The pushed model's accuracy on the eval split is {found:.4f}, the Evaluator's figure "
            f"{evaluated:.4f}: they are not of one model; run the pipeline again."
        )


def figure_table(outcome: "Outcome", thresholds: Mapping[str, float]) -> str:
    """What the gates measured beside what they asked for."""
    measured, edge = outcome.metrics, outcome.edge
    recalls = {label: measured.get(f"accuracy[label={label}]", 0.0) for label in outcome.labels}
    weakest = min(recalls, key=recalls.__getitem__)
    rows: list[list[Any]] = [
        ["accuracy, SavedModel", measured["accuracy"], thresholds["accuracy"]],
        [f"recall of the weakest class, {weakest}", recalls[weakest], thresholds["class_recall"]],
        ["expected calibration error", measured["expected_calibration_error"], None],
    ]
    for name, result in (("float32", edge.float32), ("int8", edge.int8)):
        if result is not None and edge.saved_model_accuracy is not None:
            told = f"accuracy, {name} TFLite ({result.bytes / 1e6:.1f} MB)"
            least = edge.saved_model_accuracy - thresholds["edge_accuracy_drop"]
            rows.append([told, result.accuracy, least if name == "int8" else None])
    return markdown_table(
        ["", "Measured", "Asked for"],
        [
            [told, f"{value:.4f}", "" if least is None else f"≥ {least:.4f}"]
            for told, value, least in rows
        ],
    )


def class_table(matrix: np.ndarray, labels: Sequence[str]) -> str:
    """Precision, recall and F1 of each class of a confusion matrix, int[c, c], rows by label."""
    right = np.diag(matrix).astype(float)
    labelled, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    recall, precision = right / np.maximum(labelled, 1), right / np.maximum(predicted, 1)
    f1 = 2 * right / np.maximum(labelled + predicted, 1)
    rows = [
        [label, f"{labelled[i]:,}", *(f"{value[i]:.4f}" for value in (precision, recall, f1))]
        for i, label in enumerate(labels)
    ]
    means = [f"{value.mean():.4f}" for value in (precision, recall, f1)]
    rows.append(["mean of the classes", f"{labelled.sum():,}", *means])
    return markdown_table(["Class", "Images", "Precision", "Recall", "F1"], rows)


def leak_table(answers: Answers, ingest: IngestReport) -> str:
    """Accuracy on all eval images, on those that stood in train as well, and on all others.

    The pipeline drops the train images of such pairs before training, so that the model has not
    seen them; a model trained on the archive as it is would have.
    """
    leaked = {
        file.name
        for group in ingest.copies.train_in_eval
        for file in group.files
        if file.split == EVAL_SPLIT
    }
    also_in_train = np.array([name in leaked for name in answers.files])
    rows = [
        [name, f"{chosen.sum():,}", f"{answers.right[chosen].mean():.4f}"]
        for name, chosen in (
            ("all", np.ones_like(also_in_train)),
            ("also in the archive's train split", also_in_train),
            ("all but those", ~also_in_train),
        )
        if chosen.any()
    ]
    return markdown_table(["Eval images", "Images", "Accuracy"], rows)


def pair_table(pairs: Sequence[ErrorPair]) -> str:
    """The most frequent confusions."""
    return markdown_table(
        ["Labelled, predicted", "Images", "Of the class", "Mean confidence", "At 0.9 or surer"],
        [
            [
                f"{pair.labelled}, {pair.predicted}",
                f"{pair.count}",
                f"{pair.share:.1%}",
                f"{pair.confidence:.2f}",
                f"{pair.sure}",
            ]
            for pair in pairs
        ],
    )


def robustness_table(report: RobustnessResults) -> str:
    """Accuracy and drop by change and strength."""
    rows = [
        [
            f"{result.perturbation}: {result.setting}",
            f"{result.accuracy:.4f}",
            f"{result.drop:+.4f} ± {result.margin:.4f}",
            "within" if report.holds(result) else "beyond",
        ]
        for result in report.results
    ]
    unchanged = [f"unchanged, {report.images:,} images", f"{report.accuracy:.4f}", "", ""]
    head = ["Change", "Accuracy", "Drop, 95 % interval", f"Bound {report.max_drop:g}"]
    return markdown_table(head, [unchanged, *rows])


if __name__ == "__main__":
    sys.exit(main())
