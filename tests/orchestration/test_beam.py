"""Beam's workers in processes of their own: the same examples, statistics and transform graph."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tfx.v1 as tfx
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_transform as tft
from tfx.components.bulk_inferrer.executor import Executor
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.prediction_table import PREDICTED_LABEL_KEY, PREDICTED_SCORE_KEY
from pipeline import config, runner, signatures
from pipeline.config import REPOSITORY
from pipeline.drawn_sample.archive import draw_archive
from pipeline.features import EVAL_SPLIT, FILE_NAME_KEY, TRAIN_SPLIT
from pipeline.model import build_model
from pipeline.pipeline import create_pipeline
from pipeline.preprocessing import LABELS_VOCABULARY
from pipeline.signatures import pixel_moments
from pipeline.workspace import Workspace
from tests.core.training_run import Silent

_SIZE = 48
_EVAL_PER_CLASS = 4
_STARTS_WITHIN_S = 120.0

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Cluster:
    """A job server and a worker pool; `log` is what the pool has printed."""

    beam_args: list[str]
    log: Path

    def workers_started(self) -> int:
        return self.log.read_text().count("Starting worker with command")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    environment = {
        **os.environ,
        # The pool starts `python`, which must be that of this environment.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'orchestration' / 'beam'}",
    }
    jobs, workers = _free_port(), _free_port()
    commands = {
        "jobs": ["apache_beam.runners.portability.local_job_service_main", f"--port={jobs}"],
        "workers": ["apache_beam.runners.worker.worker_pool_main", f"--service_port={workers}"],
    }
    processes = []
    for name, command in commands.items():
        with (folder / f"{name}.log").open("w") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=environment,
                    cwd=folder,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        for port in (jobs, workers):
            _wait_for(port)
        yield Cluster(
            [
                "--runner=PortableRunner",
                f"--job_endpoint=localhost:{jobs}",
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{workers}",
                "--sdk_container_image=none",
            ],
            folder / "workers.log",
        )
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listens on port {port}")


@dataclass(frozen=True)
class Run:
    """What the data components have written: `root` is the folder of all artifacts."""

    root: Path

    def path(self, pattern: str) -> Path:
        """The one file or folder of that name below the artifacts."""
        (found,) = self.root.glob(pattern)
        return found

    def files(self, pattern: str) -> dict[str, bytes]:
        """Contents by path, without the number of the execution."""
        found = {}
        for path in self.root.glob(pattern):
            component, output, _, *rest = path.relative_to(self.root).parts
            found["/".join((component, output, *rest))] = path.read_bytes()
        assert found, pattern
        return found

    @property
    def transform(self) -> tft.TFTransformOutput:
        return tft.TFTransformOutput(str(self.path("Transform/transform_graph/*")))


def _run(archive: Path, folder: Path, beam_args: list[str]) -> Run:
    settings = config.load(assignments=[f"run.beam_args={beam_args}"])
    workspace = Workspace(folder)
    pipeline = create_pipeline(settings, workspace, str(archive))
    runner.run(pipeline, Silent(), last_node="Transform")
    return Run(workspace.pipeline_root)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "archive.zip"
    return draw_archive(path, train_per_class=6, eval_per_class=_EVAL_PER_CLASS, seed=0)


@pytest.fixture(scope="module")
def in_memory(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(archive, tmp_path_factory.mktemp("in_memory"), config.RunSettings().beam_args)


@pytest.fixture(scope="module")
def by_workers(archive: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = _run(archive, tmp_path_factory.mktemp("by_workers"), cluster.beam_args)
    assert cluster.workers_started() == 3, "each component's job has a worker of its own"
    return run


def test_the_examples_and_the_report_of_them_are_the_same_files(
    in_memory: Run, by_workers: Run
) -> None:
    for pattern in ("ImageExampleGen/examples/*/*/*", "ImageExampleGen/ingest_report/*/*"):
        assert by_workers.files(pattern) == in_memory.files(pattern)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_the_statistics_are_the_same(in_memory: Run, by_workers: Run, split: str) -> None:
    pattern = f"StatisticsGen/statistics/*/Split-{split}/FeatureStats.pb"
    expected, found = (
        tfdv.load_stats_binary(str(run.path(pattern))) for run in (in_memory, by_workers)
    )
    assert found == expected


def test_the_transform_graph_holds_the_same_constants(in_memory: Run, by_workers: Run) -> None:
    expected, found = in_memory.transform, by_workers.transform
    assert found.vocabulary_by_name(LABELS_VOCABULARY) == expected.vocabulary_by_name(
        LABELS_VOCABULARY
    )
    assert _moments(found) == _moments(expected)


def _moments(transform: tft.TFTransformOutput) -> list[float]:
    return [float(value) for value in pixel_moments(transform.transform_features_layer(), _SIZE)]


def test_the_predictions_are_the_same(
    archive: Path, in_memory: Run, by_workers: Run, cluster: Cluster, tmp_path: Path
) -> None:
    transform = in_memory.transform
    labels = [name.decode() for name in transform.vocabulary_by_name(LABELS_VOCABULARY)]
    network = build_model(config.TrainSettings(filters=[4]), _SIZE, len(labels))
    serving = tmp_path / "model" / "Format-Serving"
    serving.parent.mkdir()
    signatures.export(network, transform, labels, _SIZE, str(serving), "expression")

    started = cluster.workers_started()
    beam_args = config.RunSettings().beam_args
    answers = tmp_path / "answers"
    expected = _predictions(archive, in_memory, serving.parent, answers / "1", beam_args)
    assert cluster.workers_started() == started
    found = _predictions(archive, by_workers, serving.parent, answers / "2", cluster.beam_args)
    assert cluster.workers_started() == started + 1
    assert found.keys() == expected.keys()
    for name, scores in expected.items():
        assert found[name] == pytest.approx(scores, rel=1e-5), name


def _inferrer(archive: Path) -> tfx.components.BulkInferrer:
    workspace = Workspace(archive.parent)
    pipeline = create_pipeline(config.load(), workspace, str(archive), unlabelled=str(archive))
    (component,) = (one for one in pipeline.components if one.id == "BulkInferrer")
    return component


def _predictions(
    archive: Path, run: Run, model: Path, folder: Path, beam_args: list[str]
) -> dict[bytes, dict[bytes, float]]:
    """Runs the pipeline's BulkInferrer on the eval split: scores by class, by the image's name."""
    examples = standard_artifacts.Examples()
    examples.uri = str(run.path("ImageExampleGen/examples/*"))
    examples.split_names = artifact_utils.encode_split_names([TRAIN_SPLIT, EVAL_SPLIT])
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    trained = standard_artifacts.Model()
    trained.uri = str(model)
    answers = standard_artifacts.Examples()
    answers.uri = str(folder)
    properties = _inferrer(archive).exec_properties | {
        "data_spec": proto_utils.proto_to_json(tfx.proto.DataSpec(example_splits=[EVAL_SPLIT]))
    }
    context = Executor.Context(beam_pipeline_args=beam_args, tmp_dir=str(folder / "temporary"))
    Executor(context).Do(
        {"examples": [examples], "model": [trained]}, {"output_examples": [answers]}, properties
    )
    found = {}
    files = [str(path) for path in folder.glob(f"Split-{EVAL_SPLIT}/*.gz")]
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        (name,) = feature[FILE_NAME_KEY].bytes_list.value
        labels = feature[PREDICTED_LABEL_KEY].bytes_list.value
        scores = feature[PREDICTED_SCORE_KEY].float_list.value
        found[name] = dict(zip(labels, scores, strict=True))
    assert len(found) == _EVAL_PER_CLASS * 7
    return found
