"""The search for a recipe: variants are the profile's settings with some others."""

from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2

from benchmarks import recipe
from benchmarks.recipe import read_variants, table
from pipeline import config, lineage
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.workspace import Workspace
from tests.core.pushed import push

_BASE = TrainSettings(validation_fraction=0.05)


def _variants(folder: Path, text: str) -> dict[str, TrainSettings]:
    path = folder / "variants.toml"
    path.write_text(text)
    return read_variants(path, _BASE, epochs=3)


def test_a_variant_changes_what_it_names_the_epochs_and_the_validation_part_alone(
    tmp_path: Path,
) -> None:
    variants = _variants(tmp_path, "[plain]\n[wide]\nfilters = [64, 128]\naugment.mixup = 0.2\n")

    assert variants["plain"] == _BASE.model_copy(update={"epochs": 3, "validation_fraction": 0.1})
    assert variants["wide"].filters == [64, 128]
    assert variants["wide"].augment == _BASE.augment.model_copy(update={"mixup": 0.2})


@pytest.mark.parametrize("line", ["dropout = 2.0", "drop_out = 0.1", "augment.twist = 1.0"])
def test_a_variant_that_does_not_fit_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match="wild"):
        _variants(tmp_path, f"[wild]\n{line}\n")


def test_the_best_variant_comes_first() -> None:
    values = {"val_loss": 1.0, "accuracy": 0.5, "parameters": 1e6, "cpu_seconds_an_epoch": 9}
    text = table({"poor": {"val_accuracy": 0.4} | values, "good": {"val_accuracy": 0.6} | values})

    assert text.index("good") < text.index("poor")


def test_a_variant_is_measured_again_once_its_profile_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = tmp_path / "variants.toml"
    variants.write_text("[plain]\n")
    values = {"val_accuracy": 0.4, "val_loss": 1.0, "accuracy": 0.5}
    trained = []

    def measure(_workspace: object, settings: TrainSettings, _size: int) -> dict[str, float]:
        trained.append(settings.filters)
        return values

    monkeypatch.setattr(recipe, "measure", measure)
    for profile in ("fer2013", "fer2013", "edge"):
        arguments = ["recipe", "--variants", str(variants), "--profile", profile]
        monkeypatch.setattr("sys.argv", arguments)
        assert recipe.main() == 0

    profiles = [config.load(profile) for profile in ("fer2013", "edge")]
    assert trained == [settings.train.filters for settings in profiles]


def test_a_variant_is_taught_by_the_newest_version_and_measured_again_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants, versions = tmp_path / "variants.toml", tmp_path / "expression"
    variants.write_text(f"[taught]\nteacher = {str(versions)!r}\n")
    taught = []

    def measure(_workspace: object, settings: TrainSettings, _size: int) -> dict[str, float]:
        taught.append(settings.teacher)
        return {"val_accuracy": 0.4, "val_loss": 1.0, "accuracy": 0.5}

    monkeypatch.setattr(recipe, "measure", measure)
    monkeypatch.setattr("sys.argv", ["recipe", "--variants", str(variants)])
    for version in ("1", "1", "2"):
        if not (versions / version).exists():
            push(versions / version, f"model {version}")
        assert recipe.main() == 0

    assert taught == [str(versions / "1"), str(versions / "2")]


@pytest.mark.parametrize("made", [set(), {("ImageExampleGen", "examples")}])
def test_a_run_that_stopped_before_training_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: set[tuple[str, str]]
) -> None:
    run = lineage.RunKey("expression", "monday")
    outputs = dict.fromkeys(made, metadata_store_pb2.Artifact())
    monkeypatch.setattr(lineage, "newest_run", lambda _: run)
    monkeypatch.setattr(lineage, "run_outputs", lambda *_: outputs)
    with pytest.raises(UserError, match="stopped before the end of Transform; run the pipeline"):
        recipe.measure(Workspace(tmp_path), _BASE, size=48)


def test_the_projects_variants_fit_its_profile() -> None:
    path = Path(recipe.__file__).with_suffix(".toml")
    assert read_variants(path, config.load("fer2013").train, epochs=8)
