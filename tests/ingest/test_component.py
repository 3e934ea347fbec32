"""The component in a pipeline of its own, run by TFX."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
import numpy as np
import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import artifact_utils, standard_artifacts

from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import IngestReport, read_report
from pipeline import features
from pipeline.errors import UserError
from tests.ingest import drawn

BEAM = [
    "--runner=FnApiRunner",
    "--direct_running_mode=in_memory",
    "--sdk_container_image=none",
]
SPLITS = {"train": "train", "training": "train", "test": "eval", "privatetest": "eval"}
REAL_ARCHIVE = Path(__file__).parents[2].parent / "shared/data/fer2013/archive.zip"

Ingest = Callable[..., "Run"]


class Run(NamedTuple):
    """One run of the pipeline."""

    cached: bool
    examples: standard_artifacts.Examples
    report: IngestReport

    def files(self, split: str) -> list[str]:
        folder = artifact_utils.get_split_uri([self.examples], split)
        return sorted(f"{folder}/{name}" for name in fileio.listdir(folder))

    def read(self, split: str) -> list[dict[str, Any]]:
        examples = []
        for record in tf.data.TFRecordDataset(self.files(split), "GZIP").as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            examples.append(
                {
                    key: getattr(value, value.WhichOneof("kind")).value[0]
                    for key, value in feature.items()
                }
            )
        return examples


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Runs a pipeline of the component alone in a workspace that lasts for the test."""
    workspace = tmp_path / "workspace"
    config = metadata.sqlite_metadata_connection_config(str(workspace / "metadata.db"))

    def run(path: Path | str, **parameters: Any) -> Run:
        values: dict[str, Any] = {
            "extract_dir": str(workspace / "extracted"),
            "split_aliases": SPLITS,
            "class_aliases": {"anger": "angry"},
            "code_fingerprint": "1",
        }
        component = ImageExampleGen(str(path), **(values | parameters))
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="ingest",
                pipeline_root=str(workspace / "pipeline_root"),
                components=[component],
                enable_cache=True,
                metadata_connection_config=config,
                beam_pipeline_args=BEAM,
            )
        )
        with metadata.Metadata(config) as handle:
            execution = max(handle.store.get_executions(), key=lambda e: e.id)
            events = handle.store.get_events_by_execution_ids([execution.id])
            found = handle.store.get_artifacts_by_id([event.artifact_id for event in events])
            types = {t.id: t for t in handle.store.get_artifact_types()}
        artifacts = {
            types[a.type_id].name: artifact_utils.deserialize_artifact(types[a.type_id], a)
            for a in found
        }
        return Run(
            execution.last_known_state == metadata_store_pb2.Execution.CACHED,
            artifacts["Examples"],
            read_report(Path(artifacts["expression.IngestReport"].uri)),
        )

    return run


def names(run: Run, split: str) -> set[str]:
    return {example["file_name"].decode() for example in run.read(split)}


def test_an_archive_becomes_examples_with_every_feature(tmp_path: Path, ingest: Ingest) -> None:
    files = drawn.labelled()
    files["train/anger/grey.jpg"] = drawn.encoded(100, "JPEG")
    run = ingest(drawn.write_zip(tmp_path / "archive.zip", files))

    assert json.loads(run.examples.split_names) == ["train", "eval"]
    assert run.examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    examples = run.read("train") + run.read("eval")
    assert {example["file_name"].decode() for example in examples} == set(files)
    for example in examples:
        source_split, label, _ = example["file_name"].decode().split("/")
        assert set(example) == {
            features.IMAGE_KEY,
            features.LABEL_KEY,
            features.FILE_NAME_KEY,
            features.SOURCE_SPLIT_KEY,
            features.HEIGHT_KEY,
            features.WIDTH_KEY,
            features.CONTENT_HASH_KEY,
        }
        assert example["image"] == files[example["file_name"].decode()]
        assert example["source_split"].decode() == source_split
        assert example["label"].decode() == label.replace("anger", "angry")
        assert (example["height"], example["width"]) == (24, 20)
        assert len(example["content_hash"]) == 32
    assert run.report.splits["train"].classes == {"angry": 1, "happy": 6, "sad": 6}
    assert run.report.source.kind == "zip"


def test_zip_and_folder_with_or_without_a_top_folder_give_the_same_examples(
    tmp_path: Path, ingest: Ingest
) -> None:
    files = drawn.labelled()
    topped = {f"archive/{name}": data for name, data in files.items()}
    runs = [
        ingest(drawn.write_zip(tmp_path / "plain.zip", files)),
        ingest(drawn.write_zip(tmp_path / "topped.zip", topped, zipfile.ZIP_DEFLATED)),
        ingest(drawn.write_folder(tmp_path / "folder [1]", topped)),
    ]
    for split in ("train", "eval"):
        hashes = [[example["content_hash"] for example in run.read(split)] for run in runs]
        assert hashes[0] == hashes[1] == hashes[2] == sorted(hashes[0])


def test_equal_input_gives_equal_files_in_an_order_that_mixes_classes(
    tmp_path: Path, ingest: Ingest
) -> None:
    archive = drawn.write_zip(tmp_path / "archive.zip", drawn.labelled(20, 20))
    runs = [ingest(archive), ingest(archive, code_fingerprint="2")]
    assert [run.cached for run in runs] == [False, False]
    for split in ("train", "eval"):
        written = [[Path(file).read_bytes() for file in run.files(split)] for run in runs]
        assert written[0] == written[1]
        labels = [example["label"] for example in runs[0].read(split)]
        assert labels != sorted(labels)
        assert labels != sorted(labels, reverse=True)


def test_the_cache_goes_by_content_settings_and_code(tmp_path: Path, ingest: Ingest) -> None:
    archive = drawn.write_zip(tmp_path / "archive.zip", drawn.labelled())
    first = ingest(archive)
    assert not first.cached
    second = ingest(archive)
    assert second.cached
    assert second.examples.uri == first.examples.uri
    assert second.report == first.report
    assert not ingest(archive, min_side=17).cached
    assert not ingest(archive, code_fingerprint="2").cached
    os.utime(archive, (1, 1))
    assert not ingest(archive).cached
    assert ingest(archive).cached


def test_a_folder_is_watched_to_its_leaves(tmp_path: Path, ingest: Ingest) -> None:
    folder = drawn.write_folder(tmp_path / "faces", drawn.labelled())
    assert not ingest(folder).cached
    assert ingest(folder).cached
    image = folder / "train/happy/000.png"
    image.rename(folder / "train/sad/000.png")
    moved = ingest(folder)
    assert not moved.cached
    assert moved.report.splits["train"].classes == {"happy": 5, "sad": 7}


def test_the_newest_version_of_the_newest_span_is_taken(tmp_path: Path, ingest: Ingest) -> None:
    pattern = f"{tmp_path}/span-{{SPAN}}/v{{VERSION}}/archive.zip"
    files = drawn.labelled()

    def add(span: int, version: int) -> Run:
        files[f"train/happy/{span}-{version}.png"] = drawn.encoded(100 + 10 * span + version)
        drawn.write_zip(tmp_path / f"span-{span}" / f"v{version}" / "archive.zip", files)
        return ingest(pattern)

    for span, version in ((9, 1), (9, 2), (10, 1)):
        run = add(span, version)
        assert not run.cached
        assert run.examples.get_int_custom_property("span") == span
        assert run.examples.get_int_custom_property("version") == version
        assert (run.report.source.span, run.report.source.version) == (span, version)
        assert f"train/happy/{span}-{version}.png" in names(run, "train")
    assert ingest(pattern).cached
    with pytest.raises(UserError, match="No data match"):
        ingest(f"{tmp_path}/{{SPAN}}/archive.zip")


def test_spans_of_folders_are_resolved_too(tmp_path: Path, ingest: Ingest) -> None:
    for day in ("2024-02-28", "2024-02-29"):
        drawn.write_folder(tmp_path / "days" / day, drawn.labelled())
    run = ingest(f"{tmp_path}/days/{{YYYY}}-{{MM}}-{{DD}}")
    assert run.report.source.name == "2024-02-29"
    assert run.report.source.span == 19782


def test_copies_are_dropped_from_train_and_kept_in_eval(tmp_path: Path, ingest: Ingest) -> None:
    same = {seed: drawn.encoded(seed) for seed in range(1000, 1005)}
    files = drawn.labelled() | {
        "train/happy/copy b.png": same[1000],
        "train/happy/copy a.bmp": drawn.encoded(1000, "BMP"),
        "train/happy/conflict.png": same[1001],
        "train/sad/conflict.png": same[1001],
        "train/happy/held out.png": same[1002],
        "test/happy/held out.png": same[1002],
        "test/happy/twice a.png": same[1003],
        "test/sad/twice b.png": same[1003],
    }
    run = ingest(drawn.write_zip(tmp_path / "archive.zip", files))
    report = run.report
    assert set(files) - names(run, "train") - names(run, "eval") == {
        "train/happy/copy b.png",
        "train/happy/conflict.png",
        "train/sad/conflict.png",
        "train/happy/held out.png",
    }
    assert (report.read, report.accepted, report.rejected) == (len(files), len(files) - 4, 4)
    assert len(report.copies.eval_copies) == len(report.copies.eval_conflicts) == 1
    (conflict,) = report.copies.train_conflicts
    assert [file.label for file in conflict.files] == ["happy", "sad"]


def test_every_file_is_accounted_for(tmp_path: Path, ingest: Ingest) -> None:
    image = drawn.encoded(1000)
    bad = {
        "train/happy/text.jpg": b"not an image",
        "train/happy/empty.jpg": b"",
        "train/happy/cut.png": image[:-20],
        "train/happy/small.png": drawn.encoded(1001, height=8),
        "train/happy/.DS_Store": b"\0",
        "train/stray.png": image,
        "README.md": b"# Faces",
    }
    run = ingest(drawn.write_zip(tmp_path / "archive.zip", drawn.labelled() | bad))
    report = run.report
    assert {why.value: files.names for why, files in report.rejections.items()} == {
        "not_an_image": ["README.md", "train/happy/empty.jpg", "train/happy/text.jpg"],
        "truncated": ["train/happy/cut.png"],
        "too_small": ["train/happy/small.png"],
        "system_file": ["train/happy/.DS_Store"],
        "no_class_folder": ["train/stray.png"],
    }
    assert report.read == report.accepted + report.rejected == len(drawn.labelled()) + len(bad)


def test_fer2013_csv_is_read_losslessly(tmp_path: Path, ingest: Ingest) -> None:
    rows = ["emotion,pixels,Usage"]
    for seed in range(12):
        image = " ".join(map(str, drawn.pixels(seed, 48, 48).ravel()))
        rows.append(f"{seed % 2 * 3},{image},{'Training' if seed < 8 else 'PrivateTest'}")
    rows.append("9,1 2 3,Training")
    (tmp_path / "fer2013.csv").write_text("\n".join(rows))
    run = ingest(tmp_path / "fer2013.csv")
    assert run.report.splits["train"].classes == {"angry": 4, "happy": 4}
    assert run.report.rejections[Rejection.UNKNOWN_LABEL].names == ["fer2013.csv#13"]
    for example in run.read("train") + run.read("eval"):
        row = int(example["file_name"].decode().partition("#")[2])
        pixels = tf.io.decode_image(example["image"]).numpy()[..., 0]
        np.testing.assert_array_equal(pixels, drawn.pixels(row - 1, 48, 48))


def test_without_splits_the_content_decides(tmp_path: Path, ingest: Ingest) -> None:
    files = {f"{label}/{n}.png": drawn.encoded(n) for n in range(40) for label in [f"c{n % 2}"]}
    archive = drawn.write_zip(tmp_path / "archive.zip", files)
    run = ingest(archive, eval_fraction=0.4)
    assert run.report.split_by == "content_hash"
    assert run.report.accepted == 40
    renamed = {f"top/{name}": data for name, data in reversed(files.items())}
    again = ingest(drawn.write_zip(tmp_path / "again.zip", renamed), eval_fraction=0.4)
    assert names(again, "eval") == {f"top/{name}" for name in names(run, "eval")}


def test_unlabelled_images_keep_to_one_split_without_labels(tmp_path: Path, ingest: Ingest) -> None:
    files = {"a.png": drawn.encoded(1), "sub/b.jpg": drawn.encoded(1, "JPEG"), "copy.png": b""}
    files["copy.png"] = files["a.png"]
    run = ingest(drawn.write_folder(tmp_path / "images", files), unlabelled=True)
    assert json.loads(run.examples.split_names) == ["unlabelled"]
    assert names(run, "unlabelled") == set(files)
    assert all(features.LABEL_KEY not in example for example in run.read("unlabelled"))


def test_user_mistakes_come_out_of_the_runner_as_one_sentence(
    tmp_path: Path, ingest: Ingest
) -> None:
    no_eval = {n: data for n, data in drawn.labelled().items() if n.startswith("test")}
    with pytest.raises(UserError, match="none is left for the train split"):
        ingest(drawn.write_zip(tmp_path / "test.zip", no_eval))
    photos = {"1.heic": b"x", "2.heic": b"y"}
    with pytest.raises(UserError, match="unlabelled split; give JPEG, PNG, BMP or WebP images"):
        ingest(drawn.write_folder(tmp_path / "photos", photos), unlabelled=True)
    with pytest.raises(UserError, match=r"leads out of the folder"):
        ingest(drawn.write_zip(tmp_path / "slip.zip", drawn.labelled() | {"../x.png": b""}))
    left = tmp_path / "workspace/pipeline_root/ImageExampleGen"
    assert not [p for p in left.rglob("*") if p.is_file()]


def test_what_is_stored_decodes_in_tensorflow_to_the_same_size(
    tmp_path: Path, ingest: Ingest
) -> None:
    files = drawn.labelled()
    for seed, image_format in enumerate(("JPEG", "PNG", "BMP", "WEBP")):
        whole = drawn.encoded(seed, image_format, channels=3)
        for position in range(20, len(whole), 97):
            broken = bytearray(whole)
            broken[position] ^= 0x55
            files[f"train/sad/{image_format}-{position}.{image_format.lower()}"] = bytes(broken)
    run = ingest(drawn.write_zip(tmp_path / "archive.zip", files))
    for example in run.read("train"):
        decoded = tf.io.decode_image(example["image"], expand_animations=False)
        assert tuple(decoded.shape[:2]) == (example["height"], example["width"])


@pytest.mark.skipif(
    not REAL_ARCHIVE.exists(), reason="the FER2013 archive is not beside the project"
)
def test_the_totals_of_the_real_archive_add_up(ingest: Ingest) -> None:
    run = ingest(REAL_ARCHIVE)
    report = run.report
    assert report.read == report.accepted + report.rejected == 32_298
    assert len(run.read("train")) == report.splits["train"].accepted
    assert len(run.read("eval")) == report.splits["eval"].accepted
    assert set(report.splits["train"].classes) == set(report.splits["eval"].classes)
    assert len(report.splits["train"].classes) == 7
    assert report.copies.train_conflicts
    assert report.copies.train_in_eval
