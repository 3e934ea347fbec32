"""The whole pipeline as a user runs it, in processes of its own, on the drawn sample."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = (
    "--set=sample.train_per_class=60",
    "--set=sample.eval_per_class=12",
    "--set=evaluate.class_recall=0",
)

pytestmark = pytest.mark.e2e


@dataclass
class Run:
    """A finished run of the command line."""

    code: int
    out: str
    err: str

    def state(self, node: str) -> str:
        """What the run's table says of a component."""
        found = re.search(rf"^{node} +(\w+) ", self.out, re.MULTILINE)
        assert found, f"{node} is not in\n{self.out}\n{self.err}"
        return found[1]


def command(workspace: Path, *arguments: str) -> list[str]:
    return [sys.executable, "local_runner.py", f"--workspace={workspace}", *arguments]


def run(workspace: Path, *arguments: str) -> Run:
    done = subprocess.run(
        command(workspace, *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
    return Run(done.returncode, done.stdout, done.stderr)


def versions(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def epochs_done(workspace: Path) -> int:
    """Epochs that the training in a workspace has finished; their backup may still be written."""
    histories = [path.read_text() for path in workspace.glob("checkpoints/*/history.csv")]
    return sum(history.count("\n") - 1 for history in histories)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def first(workspace: Path) -> Run:
    """The main job, on the defaults of the drawn sample."""
    return run(workspace)


def test_the_drawn_sample_ends_in_pushed_models(first: Run, workspace: Path) -> None:
    assert first.code == 0, first.out + first.err
    assert versions(workspace / "serving" / "expression") == [1]
    assert versions(workspace / "edge" / "expression") == [1]
    served = workspace / "serving" / "expression" / "1"
    manifest = json.loads((served / "manifest.json").read_text())
    assert manifest["metrics"]["accuracy"] >= 0.8
    assert (served / "assets" / "labels.txt").read_text().split() == manifest["labels"]
    assert (workspace / "reports" / "index.html").exists()


def test_the_screen_shows_no_noise_of_libraries(first: Run, workspace: Path) -> None:
    assert first.err == ""
    assert "WARNING" not in first.out
    assert list((workspace / "logs").glob("*.log"))


def test_the_pushed_model_answers_an_encoded_image(first: Run, workspace: Path) -> None:
    program = (
        "import sys, tensorflow as tf, zipfile\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "archive = zipfile.ZipFile(sys.argv[2])\n"
        "names = [n for n in archive.namelist() if n.startswith('test/happy/')][:50]\n"
        "images = tf.constant([archive.read(name) for name in names])\n"
        "labels = model.signatures['serving_default'](image_bytes=images)['label'].numpy()\n"
        "print(sum(label == b'happy' for label in labels))\n"
    )
    (sample,) = (workspace / "sample").glob("*.zip")
    served = workspace / "serving" / "expression" / "1"
    answer = subprocess.run(
        [sys.executable, "-c", program, str(served), str(sample)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(answer.stdout.split()[-1]) >= 30


def test_ways_to_train_are_compared_on_the_run(first: Run, workspace: Path, tmp_path: Path) -> None:
    variants = tmp_path / "variants.toml"
    variants.write_text("[tiny]\nfilters = [4, 8]\nresidual_blocks = 1\nbatch_size = 512\n")
    program = [sys.executable, "-m", "benchmarks.recipe", f"--workspace={workspace}"]
    program += [f"--variants={variants}", "--epochs=1"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(variants.with_suffix(".json").read_text())
    assert 0.0 <= measured["tiny, 1 epochs"]["val_accuracy"] <= 1.0


def test_a_second_run_reuses_the_cache_and_pushes_nothing_new(first: Run, workspace: Path) -> None:
    second = run(workspace)
    assert second.code == 0, second.out + second.err
    for node in ("ImageExampleGen", "StatisticsGen", "SchemaGen", "Transform", "Trainer"):
        assert second.state(node) == "cached"
    assert versions(workspace / "serving" / "expression") == [1]
    assert versions(workspace / "edge" / "expression") == [1]


def test_images_without_labels_are_labelled(first: Run, workspace: Path, tmp_path: Path) -> None:
    (sample,) = (workspace / "sample").glob("*.zip")
    unlabelled = tmp_path / "unlabelled"
    unlabelled.mkdir()
    with zipfile.ZipFile(sample) as archive:
        for number in range(20):
            member = f"test/surprise/PublicTest_{16000000 + number}.jpg"
            (unlabelled / f"face-{number:02}.jpg").write_bytes(archive.read(member))
    (unlabelled / "notes.txt").write_text("no image")
    labelled = run(workspace, f"--set=infer.data={unlabelled}")
    assert labelled.code == 0, labelled.out + labelled.err
    assert labelled.state("Trainer") == "cached"
    assert "unlabelled: 21 read, 20 accepted, 1 rejected" in labelled.out
    with (workspace / "reports" / "predictions.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["file_name"] for row in rows] == sorted(p.name for p in unlabelled.glob("*.jpg"))
    assert sum(row["label"] == "surprise" for row in rows) >= 14


def test_a_poisoned_archive_stops_at_validation(
    first: Run, workspace: Path, tmp_path: Path
) -> None:
    (sample,) = (workspace / "sample").glob("*.zip")
    poisoned = tmp_path / "poisoned.zip"
    with zipfile.ZipFile(sample) as source, zipfile.ZipFile(poisoned, "w") as target:
        for name in source.namelist():
            # One class relabelled as another, and one gone from eval.
            renamed = name.replace("train/happy/Training_1300", "train/angry/Training_9900")
            if not name.startswith("test/sad/"):
                target.writestr(renamed, source.read(name))
    stopped = run(workspace, f"--data={poisoned}", "--profile=sample")
    assert stopped.code == 2, stopped.out + stopped.err
    assert "eval against train (validate.skew)" in stopped.err
    assert "eval split: class 'sad' has 0 examples" in stopped.err
    assert "Traceback" not in stopped.err
    assert re.search(r"^poisoned.zip: [\d,]+ read, ", stopped.out, re.MULTILINE)
    assert not re.search(r"^Trainer", stopped.out, re.MULTILINE)
    assert versions(workspace / "serving" / "expression") == [1]


def test_a_weak_model_is_not_pushed(tmp_path: Path) -> None:
    weak = run(tmp_path, *SMALL, "--set=train.epochs=1", "--set=evaluate.accuracy=0.99")
    assert weak.code == 3, weak.out + weak.err
    assert re.search(r"accuracy is 0\.\d+, below 0\.99", weak.err)
    assert "Traceback" not in weak.err
    assert not (tmp_path / "serving" / "expression").exists()
    assert not (tmp_path / "edge" / "expression").exists()


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    arguments = (*SMALL, "--set=train.epochs=4", "--set=evaluate.accuracy=0")
    relaxed = (*arguments, "--set=edge.max_accuracy_drop=1")
    with subprocess.Popen(
        command(tmp_path, *relaxed),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as killed:
        while epochs_done(tmp_path) < 2:
            assert killed.poll() is None, "the run ended before it could be killed"
            time.sleep(0.1)
        os.killpg(killed.pid, signal.SIGKILL)
    assert not (tmp_path / "serving" / "expression").exists()

    resumed = run(tmp_path, *relaxed)
    assert resumed.code == 0, resumed.out + resumed.err
    assert resumed.state("Transform") == "cached"
    trained = [int(epoch) for epoch in re.findall(r"^  epoch (\d)/4", resumed.out, re.MULTILINE)]
    assert trained
    assert trained[0] > 1
    (report,) = (tmp_path / "pipeline_root" / "Trainer" / "model_run").glob("*/history.json")
    assert [row["epoch"] for row in json.loads(report.read_text())] == [0, 1, 2, 3]
    assert versions(tmp_path / "serving" / "expression") == [1]
    assert not list((tmp_path / "checkpoints").iterdir())
    shutil.rmtree(tmp_path)
