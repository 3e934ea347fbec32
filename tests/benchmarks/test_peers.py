"""The peers' table: which images, whose classes, and the process that answers for a peer."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.peer import Facemood, FacexPackage, Fer, read_images, write_images
from benchmarks.peers import Candidate, Process, Row, Split, in_order, read_split, table
from pipeline.config import REPOSITORY
from pipeline.errors import UserError

FER2013 = {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"}
SHIPPED = REPOSITORY / "clients/models/expression/model_int8.tflite"


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name in names:
            opened.writestr(name, name.encode())
    return path


def test_images_are_those_of_the_test_split_by_the_names_that_the_pipeline_knows(
    tmp_path: Path,
) -> None:
    data = archive(
        tmp_path / "a.zip",
        "train/happy/1.jpg",
        "a/Test/Happiness/2.jpg",
        "a/Test/sad/1.jpg",
        "readme.txt",
    )
    split = read_split(data, "eval")
    assert split.images == [b"a/Test/Happiness/2.jpg", b"a/Test/sad/1.jpg"]
    assert (split.truth.tolist(), split.labels) == ([0, 1], ["happy", "sad"])
    assert read_split(data, "train").images == [b"train/happy/1.jpg"]


def test_a_sample_is_spread_over_the_images() -> None:
    split = Split([b"%d" % number for number in range(10)], np.arange(10), ["a"])
    assert split.sample(4).truth.tolist() == [0, 2, 5, 7]
    assert split.sample(99).truth.tolist() == list(range(10))


def test_an_archive_without_a_test_split_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no eval split; give a zip"):
        read_split(archive(tmp_path / "a.zip", "train/happy/1.jpg"), "eval")
    (tmp_path / "b.zip").write_text("no zip")
    with pytest.raises(UserError, match="can't be read"):
        read_split(tmp_path / "b.zip", "eval")


@pytest.mark.parametrize("package", [Fer, FacexPackage, Facemood])
def test_every_package_names_the_classes_of_fer2013(package: type) -> None:
    assert set(package.classes) == FER2013  # type: ignore[attr-defined]


def test_columns_are_put_into_the_order_of_the_archive() -> None:
    found = in_order(np.array([[0.1, 0.2, 0.7]]), ["c", "a", "b"], ["a", "b", "c"], "a peer")
    assert found.tolist() == [[0.2, 0.7, 0.1]]
    with pytest.raises(UserError, match="a peer knows the classes a, the archive has a, b"):
        in_order(np.ones((1, 1)), ["a"], ["a", "b"], "a peer")


def test_images_come_back_as_they_were_written(tmp_path: Path) -> None:
    images = [b"one", b"", b"three"]
    write_images(tmp_path / "images.npz", images)
    assert read_images(tmp_path / "images.npz") == images


def test_a_process_answers_for_a_model(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8)
    write_images(tmp_path / "images.npz", [cv2.imencode(".png", one)[1].tobytes() for one in faces])
    with Process(Candidate("int8", "tflite", str(SHIPPED)), tmp_path / "images.npz") as process:
        assert set(process.told["classes"]) == FER2013
        assert process.told["bytes"] == SHIPPED.stat().st_size
        process.ask(predict=str(tmp_path / "probabilities.npy"))
        seconds = process.ask(first=2, count=4)
        assert process.ask() > 1 << 20
    probabilities = np.load(tmp_path / "probabilities.npy")
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=0.05)
    assert len(seconds) == 4
    assert min(seconds) > 0


def test_a_package_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with Process(Candidate("fer", "fer"), tmp_path / "images.npz") as process:
        assert process.told == {"missing": "fer"}


def test_table_has_medians_and_leaves_out_what_was_not_measured() -> None:
    row = Row("a", "1.0", 93_160, "", 0.5, 0.6, 0.4, 0.03, [0.001, 0.002, 0.9], [], 650 << 20)
    assert table([row]).splitlines()[-1] == (
        "| a 1.0 | 0.5000 | 0.6000 | 0.4000 | 0.0300 | 93 |  | 2.00 | 650 |"
    )
