"""RobustnessReport as TFX runs it: artifacts and parameters in, artifacts out."""

from pathlib import Path
from typing import Any

import pytest
from tfx.types import Artifact, Channel, standard_artifacts
from tfx.types.artifact_utils import encode_split_names
from tfx.utils import path_utils

from components.artifacts import RobustnessBlessing, RobustnessEvaluation
from components.robustness_report.component import RobustnessReport
from components.robustness_report.executor import Executor
from components.robustness_report.perturbations import PERTURBATIONS
from components.robustness_report.report import RobustnessResults
from pipeline.errors import UserError
from tests.edge import tiny_model

ALL = sum(len(perturbation.strengths) for perturbation in PERTURBATIONS)


def make(artifact: Artifact, folder: Path) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact.uri = str(folder)
    return artifact


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    artifact = make(standard_artifacts.Model(), tmp_path_factory.mktemp("model"))
    tiny_model.export(tiny_model.train(), Path(path_utils.serving_model_dir(artifact.uri)))
    return artifact


def examples(folder: Path, names: list[str] | None = None) -> Artifact:
    artifact = make(standard_artifacts.Examples(), folder)
    artifact.split_names = encode_split_names(["eval"])
    images, classes = tiny_model.draw(60, seed=3)
    labels = names or [tiny_model.LABELS[index] for index in classes]
    tiny_model.write_examples(folder / "Split-eval", images, labels)
    return artifact


def run(
    model: Artifact, data: Artifact, folder: Path, blessed: bool = True, **changes: Any
) -> tuple[Artifact, RobustnessResults]:
    blessing = make(standard_artifacts.ModelBlessing(), folder / "model_blessing")
    blessing.set_int_custom_property("blessed", int(blessed))
    outputs = {
        "evaluation": [make(RobustnessEvaluation(), folder / "evaluation")],
        "blessing": [make(RobustnessBlessing(), folder / "blessing")],
    }
    inputs = {"model": [model], "examples": [data], "model_blessing": [blessing]}
    properties = {"num_images": 40, "max_drop": 1.0, "gate": 1, **changes}
    Executor().Do(inputs, outputs, properties)
    return outputs["blessing"][0], RobustnessResults.read(outputs["evaluation"][0].uri)


def test_report_has_every_change_at_every_strength_and_a_picture(
    model: Artifact, tmp_path: Path
) -> None:
    blessing, report = run(model, examples(tmp_path / "examples"), tmp_path)
    assert report.images == 40
    assert report.accuracy is not None
    assert report.accuracy > 0.9
    assert len(report.results) == ALL
    assert blessing.get_int_custom_property("blessed") == 1
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["BLESSED"]
    picture = (tmp_path / "evaluation" / "robustness.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("gate", [0, 1])
def test_bound_is_told_either_way_and_holds_the_model_back_if_it_gates(
    model: Artifact, tmp_path: Path, gate: int
) -> None:
    # Diagonal stripes that are turned are no longer diagonal: no model can be right about them.
    data = examples(tmp_path / "examples")
    blessing, report = run(model, data, tmp_path, max_drop=0.05, gate=gate)
    assert any(sentence.startswith("rotation: 30°") for sentence in report.beyond)
    assert blessing.get_int_custom_property("blessed") == 1 - gate


def test_a_model_that_is_not_blessed_is_not_measured(model: Artifact, tmp_path: Path) -> None:
    blessing, report = run(model, examples(tmp_path / "examples"), tmp_path, blessed=False)
    assert report.results == []
    assert report.missed == ["The model was not blessed, so it was not measured."]
    assert blessing.get_int_custom_property("blessed") == 0
    assert not (tmp_path / "evaluation" / "robustness.png").exists()


def test_examples_of_unknown_classes_are_left_out(model: Artifact, tmp_path: Path) -> None:
    names = [*tiny_model.LABELS, "checked"] * 15
    _, report = run(model, examples(tmp_path / "some", names), tmp_path, num_images=60)
    assert report.images == 45
    _, report = run(model, examples(tmp_path / "none", ["checked"] * 60), tmp_path / "second")
    assert "no example with a label" in report.missed[0]


def test_a_report_that_cannot_be_read_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"robustness\.json is not a robustness report; run"):
        RobustnessResults.read(str(tmp_path))


def test_component_takes_the_channels_of_the_pipeline() -> None:
    report = RobustnessReport(
        model=Channel(type=standard_artifacts.Model),
        examples=Channel(type=standard_artifacts.Examples),
    )
    assert report.outputs["blessing"].type is RobustnessBlessing
