"""The task that resolves the data before an ExampleGen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestration.kubeflow import driver, job
from orchestration.kubeflow.executor_io import RESOLVED_KEY
from pipeline import config
from pipeline.drawn_sample import archive
from pipeline.drawn_sample.canvas import Image
from tests.ingest import drawn


class _Answer(NamedTuple):
    code: int
    resolved: dict[str, Any]


Drive = Callable[..., _Answer]


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    """Calls the driver as the compiled job does."""

    def call(data: str | None, *assignments: str) -> _Answer:
        settings = config.load(
            assignments=[f"kubeflow.workspace={tmp_path}/workspace", *assignments]
        )
        spec = job.compile_pipeline(settings, data).pipeline
        task = spec["root"]["dag"]["tasks"]["ImageExampleGen-driver"]
        declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        values = {}
        for name, source in task["inputs"]["parameters"].items():
            if "runtimeValue" in source:
                values[name] = source["runtimeValue"]["constant"]
            else:
                values[name] = declared[source["componentInputParameter"]]["defaultValue"]
        output = tmp_path / "output.json"
        invocation = {
            "inputs": {"parameterValues": values},
            "outputs": {"outputFile": str(output)},
        }
        container = spec["deploymentSpec"]["executors"]["exec-ImageExampleGen-driver"]["container"]
        arguments = [json.dumps(invocation) if one == "{{$}}" else one for one in container["args"]]
        code = driver.main(arguments)
        if code:
            return _Answer(code, {})
        written = json.loads(output.read_text())["parameterValues"]
        return _Answer(code, json.loads(written[RESOLVED_KEY]))

    return call


def test_the_newest_span_is_found_and_fingerprinted(tmp_path: Path, drive: Drive) -> None:
    for span in (1, 2):
        folder = tmp_path / f"span-{span}"
        folder.mkdir()
        drawn.write_zip(folder / "faces.zip", drawn.labelled())
    answer = drive(f"{tmp_path}/span-{{SPAN}}/faces.zip")
    assert answer.code == 0
    assert answer.resolved["span"] == 2
    assert "span-2/faces.zip" in answer.resolved["input_config"]
    assert answer.resolved["input_fingerprint"]


def test_the_same_data_give_the_same_answer_and_others_another(
    tmp_path: Path, drive: Drive
) -> None:
    data = tmp_path / "faces.zip"
    drawn.write_zip(data, drawn.labelled())
    first, second = drive(str(data)), drive(str(data))
    assert first == second
    drawn.write_zip(data, {**drawn.labelled(), "train/happy/new.png": drawn.encoded(12345)})
    assert drive(str(data)) != first


def test_the_sample_is_drawn_once(tmp_path: Path, drive: Drive) -> None:
    tiny = ("sample.train_per_class=8", "sample.eval_per_class=4")
    first = drive(None, *tiny)
    (sample,) = (tmp_path / "workspace" / "sample").iterdir()
    written = sample.stat().st_mtime_ns
    assert drive(None, *tiny) == first
    assert sample.stat().st_mtime_ns == written


def test_two_containers_may_draw_one_sample_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw() -> bytes:
        path = tmp_path / "sample.zip"
        return archive.draw_archive(path, train_per_class=1, eval_per_class=1, seed=0).read_bytes()

    encode, expected = archive._encode, draw()
    others: list[bytes] = []

    def drawn_elsewhere_meanwhile(image: Image) -> bytes:
        monkeypatch.setattr(archive, "_encode", encode)
        others.append(draw())  # By this process id, which containers may have in common too.
        return encode(image)

    monkeypatch.setattr(archive, "_encode", drawn_elsewhere_meanwhile)
    assert draw() == expected
    assert others == [expected]
    assert [file.name for file in tmp_path.iterdir()] == ["sample.zip"]


def test_data_that_are_not_there_end_the_task_with_a_sentence(
    tmp_path: Path, drive: Drive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drive(f"{tmp_path}/faces.zip").code == 1
    assert "does not exist" in capsys.readouterr().err
