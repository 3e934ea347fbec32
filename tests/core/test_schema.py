"""The curated schema, and how its classes follow the data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tfx.v1  # noqa: F401  (before TFDV: it supplies a module that TFDV needs)
import pandas as pd
import pytest
from google.protobuf import text_format
from tensorflow_data_validation import (
    StatsOptions,
    generate_statistics_from_dataframe,
    validate_statistics,
)
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.curated_schema_gen import (
    SCHEMA_FILE,
    CuratedSchemaGen,
    follow_labels,
    label_domain,
)
from pipeline import features
from pipeline.drawn_sample import EXPRESSIONS
from pipeline.pipeline import read_curated_schema
from pipeline.schema_diff import write
from tests.core.drawn import Face, draw_faces


@pytest.fixture
def curated() -> schema_pb2.Schema:
    return read_curated_schema()


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    return next(feature for feature in schema.feature if feature.name == name)


def _statistics(
    faces: list[Face], changed: Mapping[str, Any] | None = None, labelled: bool = True
) -> statistics_pb2.DatasetFeatureStatisticsList:
    frame = {
        features.IMAGE_KEY: [face.encoded for face in faces],
        features.LABEL_KEY: [face.label.encode() for face in faces],
        features.FILE_NAME_KEY: [f"train/{i}.jpg".encode() for i in range(len(faces))],
        features.SOURCE_SPLIT_KEY: [b"train"] * len(faces),
        features.CONTENT_HASH_KEY: [f"{i:064x}".encode() for i in range(len(faces))],
        features.HEIGHT_KEY: [48] * len(faces),
        features.WIDTH_KEY: [48] * len(faces),
    } | dict(changed or {})
    if not labelled:
        del frame[features.LABEL_KEY]
    options = StatsOptions(schema=read_curated_schema(), enable_semantic_domain_stats=True)
    return generate_statistics_from_dataframe(pd.DataFrame(frame), options, n_jobs=1)


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    # TFDV looks at the images of a feature from a hundred of them.
    return draw_faces(dict.fromkeys(EXPRESSIONS, 15))


# The curated schema.


def test_every_feature_of_an_example_is_declared_with_presence_and_shape(
    curated: schema_pb2.Schema,
) -> None:
    assert {feature.name for feature in curated.feature} == {
        getattr(features, name) for name in dir(features) if name.endswith("_KEY")
    }
    for feature in curated.feature:
        assert feature.presence.min_fraction == 1.0, feature.name
        assert [dim.size for dim in feature.shape.dim] == [1], feature.name


def test_the_image_has_an_image_domain(curated: schema_pb2.Schema) -> None:
    image = _feature(curated, features.IMAGE_KEY)
    assert image.image_domain.minimum_supported_image_fraction == 1.0


def test_the_classes_are_those_of_the_drawn_sample_in_alphabetical_order(
    curated: schema_pb2.Schema,
) -> None:
    assert label_domain(curated) == sorted(EXPRESSIONS)


def test_the_label_alone_is_left_out_of_serving(curated: schema_pb2.Schema) -> None:
    assert set(curated.default_environment) == {"TRAINING", "SERVING"}
    left_out = {f.name: list(f.not_in_environment) for f in curated.feature if f.not_in_environment}
    assert left_out == {features.LABEL_KEY: ["SERVING"]}


def test_drawn_examples_hold_to_it(curated: schema_pb2.Schema, faces: list[Face]) -> None:
    anomalies = validate_statistics(_statistics(faces), curated, environment="TRAINING")
    assert not anomalies.anomaly_info


def test_unlabelled_examples_hold_to_it_in_serving_alone(
    curated: schema_pb2.Schema, faces: list[Face]
) -> None:
    statistics = _statistics(faces, labelled=False)
    serving = validate_statistics(statistics, curated, environment="SERVING")
    training = validate_statistics(statistics, curated, environment="TRAINING")
    assert not serving.anomaly_info
    assert set(training.anomaly_info) == {features.LABEL_KEY}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (features.LABEL_KEY, [b"bored"]),
        (features.HEIGHT_KEY, [0]),
        (features.WIDTH_KEY, [99_999]),
    ],
)
def test_examples_of_another_kind_do_not_hold_to_it(
    curated: schema_pb2.Schema, faces: list[Face], column: str, values: list[Any]
) -> None:
    statistics = _statistics(faces, {column: values * len(faces)})
    anomalies = validate_statistics(statistics, curated, environment="TRAINING")
    assert column in anomalies.anomaly_info


def test_a_few_files_that_are_no_images_do_not_hold_to_it(
    curated: schema_pb2.Schema, faces: list[Face]
) -> None:
    encoded = [b"no image at all", *(face.encoded for face in faces[1:])]
    anomalies = validate_statistics(_statistics(faces, {features.IMAGE_KEY: encoded}), curated)
    assert features.IMAGE_KEY in anomalies.anomaly_info


# How its classes follow the data.


def _schema(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


_IN_THE_FEATURE = """
  feature { name: "label" type: BYTES string_domain { value: "cat" value: "ant" } }
"""
_BESIDE_THE_FEATURE = """
  feature { name: "label" type: BYTES domain: "label" }
  string_domain { name: "other" value: "x" }
  string_domain { name: "label" value: "cat" value: "ant" }
"""
_NOWHERE = 'feature { name: "label" type: BYTES }'


@pytest.mark.parametrize("text", [_IN_THE_FEATURE, _BESIDE_THE_FEATURE])
def test_the_label_domain_is_found_in_both_places_a_schema_may_keep_it(text: str) -> None:
    assert label_domain(_schema(text)) == ["cat", "ant"]


def test_a_schema_without_a_label_domain_names_no_class() -> None:
    assert label_domain(_schema(_NOWHERE)) == []


@pytest.mark.parametrize("text", [_IN_THE_FEATURE, _BESIDE_THE_FEATURE])
def test_classes_follow_the_data_in_alphabetical_order_and_nothing_else_does(
    curated: schema_pb2.Schema, text: str
) -> None:
    follow_labels(curated, _schema(text))
    assert label_domain(curated) == ["ant", "cat"]
    expected = read_curated_schema()
    for schema in (curated, expected):
        _feature(schema, features.LABEL_KEY).ClearField("string_domain")
    assert curated == expected


def test_classes_stay_when_the_data_suggest_none(curated: schema_pb2.Schema) -> None:
    follow_labels(curated, _schema(_NOWHERE))
    assert curated == read_curated_schema()


def test_a_curated_schema_that_keeps_its_classes_beside_the_feature_follows_too() -> None:
    curated = _schema(_BESIDE_THE_FEATURE)
    follow_labels(curated, _schema(_IN_THE_FEATURE.replace("cat", "bee")))
    assert label_domain(curated) == ["ant", "bee"]


@pytest.mark.parametrize(
    ("pin", "expected"), [(True, sorted(EXPRESSIONS)), (False, ["ant", "cat"])]
)
def test_a_pinned_schema_keeps_its_classes_whatever_the_data_hold(
    tmp_path: Path, pin: bool, expected: list[str]
) -> None:
    inferred, emitted = standard_artifacts.Schema(), standard_artifacts.Schema()
    inferred.uri, emitted.uri = str(tmp_path / "inferred"), str(tmp_path / "emitted")
    io_utils.write_pbtxt_file(f"{inferred.uri}/{SCHEMA_FILE}", _schema(_BESIDE_THE_FEATURE))
    CuratedSchemaGen.test_call(
        inferred=inferred,
        schema=emitted,
        curated=text_format.MessageToString(read_curated_schema()),
        pin=pin,
        code_fingerprint="",
    )
    written = io_utils.parse_pbtxt_file(f"{emitted.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
    assert label_domain(written) == expected


# How it is written over.


def test_writing_an_inferred_schema_keeps_the_comment_at_the_top(tmp_path: Path) -> None:
    path = tmp_path / SCHEMA_FILE
    path.write_text(f"# What it is.\n# More of it.\n{_IN_THE_FEATURE}# Lost.\n")
    write(_NOWHERE, path)
    assert path.read_text() == f"# What it is.\n# More of it.\n{_NOWHERE}"
    assert list(tmp_path.iterdir()) == [path]
