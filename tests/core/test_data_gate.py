"""The gate before training: one line for each anomaly, or the statistics passed on."""

from collections.abc import Mapping
from pathlib import Path

import tfx.v1  # noqa: F401  (before TFDV: it supplies a module that TFDV needs)
import pandas as pd
import pytest
from google.protobuf import json_format
from tensorflow_data_validation import generate_statistics_from_dataframe
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.distribution_validator.executor import Executor as DistributionExecutor
from tfx.components.example_validator.executor import Executor as ExampleValidatorExecutor
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.proto import distribution_validator_pb2
from tfx.types.artifact_utils import encode_split_names
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.types.standard_component_specs import (
    ANOMALIES_KEY,
    BASELINE_STATISTICS_KEY,
    DISTRIBUTION_VALIDATOR_CONFIG_KEY,
    EXCLUDE_SPLITS_KEY,
    INCLUDE_SPLIT_PAIRS_KEY,
    SCHEMA_KEY,
    STATISTICS_KEY,
)
from tfx.utils import io_utils

from components.curated_schema_gen import SCHEMA_FILE
from components.data_gate import DataGate, class_counts
from pipeline.errors import DataAnomalyError

Counts = Mapping[str, int]

_EVEN = {"angry": 10, "happy": 10}
_LABEL = distribution_validator_pb2.DistributionValidatorConfig()
json_format.ParseDict(
    {
        "defaultSliceConfig": {
            "feature": [
                {
                    "path": {"step": ["label"]},
                    "distributionComparator": {"infinityNorm": {"threshold": 0.1}},
                }
            ]
        }
    },
    _LABEL,
)


class Data:
    """Statistics of labels, and what TFX's own validators write about them."""

    def __init__(self, root: Path):
        self._root = root
        self._made = 0

    def uri(self) -> str:
        self._made += 1
        return str(self._root / str(self._made))

    def statistics(self, **splits: Counts) -> ExampleStatistics:
        artifact = ExampleStatistics()
        artifact.uri = self.uri()
        artifact.split_names = encode_split_names(list(splits))
        artifact.span = 4
        for split, counts in splits.items():
            labels = [name.encode() for name, count in counts.items() for _ in range(count)]
            frame = pd.DataFrame({"label": labels})
            io_utils.write_bytes_file(
                f"{artifact.uri}/Split-{split}/FeatureStats.pb",
                generate_statistics_from_dataframe(frame, n_jobs=1).SerializeToString(),
            )
        return artifact

    def schema(self, *classes: str) -> Schema:
        schema = schema_pb2.Schema()
        feature = schema.feature.add(name="label", type=schema_pb2.BYTES)
        feature.string_domain.value.extend(classes)
        artifact = Schema()
        artifact.uri = self.uri()
        io_utils.write_pbtxt_file(f"{artifact.uri}/{SCHEMA_FILE}", schema)
        return artifact

    def anomalies(self, statistics: ExampleStatistics, schema: Schema) -> ExampleAnomalies:
        """What ExampleValidator finds."""
        artifact = ExampleAnomalies()
        artifact.uri = self.uri()
        ExampleValidatorExecutor().Do(
            {STATISTICS_KEY: [statistics], SCHEMA_KEY: [schema]},
            {ANOMALIES_KEY: [artifact]},
            {EXCLUDE_SPLITS_KEY: "[]"},
        )
        return artifact

    def distance(
        self, statistics: ExampleStatistics, baseline: ExampleStatistics | None, pair: str
    ) -> ExampleAnomalies:
        """What DistributionValidator finds, at an L-infinity distance of 0.1."""
        artifact = ExampleAnomalies()
        artifact.uri = self.uri()
        DistributionExecutor().Do(
            {
                STATISTICS_KEY: [statistics],
                BASELINE_STATISTICS_KEY: [baseline] if baseline else [],
            },
            {ANOMALIES_KEY: [artifact]},
            {DISTRIBUTION_VALIDATOR_CONFIG_KEY: _LABEL, INCLUDE_SPLIT_PAIRS_KEY: pair},
        )
        return artifact

    def written(self, **splits: anomalies_pb2.Anomalies) -> ExampleAnomalies:
        """Anomalies written by hand, as ExampleValidator lays them out."""
        artifact = ExampleAnomalies()
        artifact.uri = self.uri()
        artifact.split_names = encode_split_names(list(splits))
        for split, anomalies in splits.items():
            io_utils.write_bytes_file(
                f"{artifact.uri}/Split-{split}/SchemaDiff.pb", anomalies.SerializeToString()
            )
        return artifact

    def gate(
        self,
        statistics: ExampleStatistics,
        classes: tuple[str, ...] = ("angry", "happy"),
        anomalies: ExampleAnomalies | None = None,
        previous: ExampleStatistics | None = None,
        least: int = 1,
    ) -> ExampleStatistics:
        """Runs everything between the statistics and the gate, then the gate."""
        schema = self.schema(*classes)
        validated = ExampleStatistics()
        validated.uri = self.uri()
        DataGate.test_call(
            statistics=statistics,
            schema=schema,
            anomalies=anomalies or self.anomalies(statistics, schema),
            skew=self.distance(statistics, statistics, '[["eval", "train"]]'),
            drift=self.distance(statistics, previous, '[["train", "train"]]'),
            validated=validated,
            min_examples_per_class=least,
            code_fingerprint="",
        )
        return validated

    def refusal(self, *args: ExampleStatistics, **kwargs: object) -> list[str]:
        """The lines that the gate stops the run with."""
        with pytest.raises(DataAnomalyError) as stopped:
            self.gate(*args, **kwargs)  # type: ignore[arg-type]
        return str(stopped.value).splitlines()


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def _anomalies(**described: tuple[str, ...]) -> anomalies_pb2.Anomalies:
    found = anomalies_pb2.Anomalies()
    for name, reasons in described.items():
        found.anomaly_info[name].path.step.append(name)
        for text in reasons:
            found.anomaly_info[name].reason.add(description=text, short_description="short")
    return found


def test_sound_data_pass_with_their_statistics(data: Data) -> None:
    statistics = data.statistics(train=_EVEN, eval=_EVEN)
    validated = data.gate(statistics)
    assert validated.split_names == statistics.split_names
    assert validated.span == 4
    for split in ("train", "eval"):
        passed, given = (
            stats_artifact_utils.load_statistics(artifact, split).proto()
            for artifact in (validated, statistics)
        )
        assert passed == given


def test_data_stopped_at_the_gate_leave_no_statistics_to_measure_drift_against(
    data: Data, tmp_path: Path
) -> None:
    data.refusal(data.statistics(train=_EVEN, eval={"angry": 10}))
    assert len(list(tmp_path.glob("*/Split-train/FeatureStats.pb"))) == 1


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_class_that_a_split_lacks_is_named_with_the_split(data: Data, split: str) -> None:
    splits = {"train": _EVEN, "eval": _EVEN} | {split: {"happy": 10}}
    told = data.refusal(data.statistics(**splits))
    (line,) = [line for line in told if line.startswith(f"{split} split")]
    assert "'angry' has 0 examples" in line
    assert "validate.min_examples_per_class" in line


def test_a_class_with_too_few_examples_is_named_with_its_count(data: Data) -> None:
    even = {"angry": 4, "happy": 4}
    told = data.refusal(data.statistics(train=_EVEN, eval=even), least=5)
    assert len(told) == 2
    assert all("has 4 examples" in line and "asks for 5" in line for line in told)
    data.gate(data.statistics(train=_EVEN, eval=even), least=4)


def test_a_label_that_the_schema_does_not_have_is_told_as_tfdv_describes_it(data: Data) -> None:
    grown = {"angry": 10, "happy": 10, "bored": 1}
    told = data.refusal(data.statistics(train=grown, eval=_EVEN))
    assert len(told) == 1
    assert told[0].startswith("train split: label: ")
    assert "bored" in told[0]


def test_skew_of_classes_between_the_splits_stops_the_run(data: Data) -> None:
    told = data.refusal(data.statistics(train=_EVEN, eval={"angry": 3, "happy": 10}))
    assert len(told) == 1
    assert told[0].startswith("eval against train (validate.skew): label: ")


def test_drift_of_classes_since_the_last_validated_run_stops_the_run(data: Data) -> None:
    drifted = {"angry": 3, "happy": 10}
    previous = data.statistics(train=_EVEN, eval=_EVEN)
    told = data.refusal(data.statistics(train=drifted, eval=drifted), previous=previous)
    assert len(told) == 1
    assert told[0].startswith("drift since data last passed (validate.drift): label: ")


def test_a_first_run_has_nothing_to_drift_from(data: Data) -> None:
    data.gate(data.statistics(train=_EVEN, eval=_EVEN), previous=None)


def test_a_small_change_of_class_shares_passes(data: Data) -> None:
    now = {"angry": 10, "happy": 11}
    previous = data.statistics(train=_EVEN, eval=_EVEN)
    data.gate(data.statistics(train=now, eval=_EVEN), previous=previous)


def test_every_anomaly_of_every_split_has_its_line(data: Data) -> None:
    found = data.written(
        train=_anomalies(image=("Not an image.",), height=("Too low.", "Too high.")),
        eval=_anomalies(label=("{bored} is new.",)),
    )
    told = data.refusal(data.statistics(train=_EVEN, eval=_EVEN), anomalies=found)
    assert told == [
        "train split: height: Too low.",
        "train split: height: Too high.",
        "train split: image: Not an image.",
        "eval split: label: {bored} is new.",
    ]


def test_an_anomaly_without_a_description_is_told_in_short(data: Data) -> None:
    found = data.written(train=_anomalies(image=("",)), eval=_anomalies())
    told = data.refusal(data.statistics(train=_EVEN, eval=_EVEN), anomalies=found)
    assert told == ["train split: image: short"]


def test_an_anomaly_of_several_lines_is_told_in_one(data: Data) -> None:
    found = data.written(
        train=_anomalies(label=("Unexpected values:\n  a\n  b",)), eval=_anomalies()
    )
    assert len(data.refusal(data.statistics(train=_EVEN, eval=_EVEN), anomalies=found)) == 1


def test_an_anomaly_of_the_data_as_a_whole_stops_the_run(data: Data) -> None:
    whole = anomalies_pb2.Anomalies()
    whole.dataset_anomaly_info.reason.add(description="The dataset has too few examples.")
    found = data.written(train=whole, eval=_anomalies())
    told = data.refusal(data.statistics(train=_EVEN, eval=_EVEN), anomalies=found)
    assert told == ["train split: The dataset has too few examples."]


def test_a_split_without_examples_stops_the_run(data: Data) -> None:
    found = data.written(train=anomalies_pb2.Anomalies(data_missing=True), eval=_anomalies())
    told = data.refusal(data.statistics(train=_EVEN, eval=_EVEN), anomalies=found)
    assert told == ["train split: has no examples"]


def test_data_anomalies_have_an_exit_code_of_their_own() -> None:
    assert DataAnomalyError.exit_code == 2


def test_classes_are_counted_from_statistics(data: Data) -> None:
    statistics = data.statistics(train={"angry": 3, "happy": 1, "sad": 7})
    proto = stats_artifact_utils.load_statistics(statistics, "train").proto()
    assert class_counts(proto) == {"angry": 3, "happy": 1, "sad": 7}


def test_statistics_without_labels_count_no_class() -> None:
    proto = generate_statistics_from_dataframe(pd.DataFrame({"height": [1, 2]}), n_jobs=1)
    assert class_counts(proto) == {}
