"""A blessed model and its examples, as artifacts, for the TFLite components."""

from pathlib import Path

import pytest
from tfx.types import Artifact, standard_artifacts
from tfx.types.artifact_utils import encode_split_names
from tfx.utils import path_utils

from tests.edge import tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path_factory.mktemp("model"))
    tiny_model.export(tiny_model.train(), Path(path_utils.serving_model_dir(artifact.uri)))
    return artifact


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = encode_split_names(["train", "eval"])
    for split, seed in (("train", 2), ("eval", 3)):
        images, classes = tiny_model.draw(120, seed)
        names = [tiny_model.LABELS[index] for index in classes]
        tiny_model.write_examples(Path(artifact.uri) / f"Split-{split}", images, names)
    return artifact
