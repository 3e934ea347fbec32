"""The stop between validation and training."""

from collections.abc import Iterator

import tfx.v1 as tfx
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.curated_schema_gen import SCHEMA_FILE, label_domain
from pipeline.errors import DataAnomalyError
from pipeline.features import LABEL_KEY

_ANOMALIES_FILE = "SchemaDiff.pb"


@component
def DataGate(
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    skew: InputArtifact[ExampleAnomalies],
    drift: InputArtifact[ExampleAnomalies],
    validated: OutputArtifact[ExampleStatistics],
    min_examples_per_class: Parameter[int],
    code_fingerprint: Parameter[str],
) -> None:
    """Fails the run on any anomaly; passes the statistics on otherwise.

    Stands beside TFX's ExampleValidator and DistributionValidator, which report anomalies and let
    the run go on to train on them, and which have no check that each split has every class.

    Args:
      statistics: StatisticsGen's output.
      schema: The schema the data were held to.
      anomalies: ExampleValidator's output.
      skew: DistributionValidator's, of eval against train.
      drift: DistributionValidator's, against the statistics this gate passed last.
      validated: A copy of the statistics; the next run's drift is measured against the last data
        that passed, so that trying bad data twice does not make them the norm.
      min_examples_per_class: Fewest examples of each class in each split.
      code_fingerprint: Digest of this component's code; a new one runs it again.

    Raises:
      DataAnomalyError: With one line an anomaly.
    """
    classes = label_domain(
        io_utils.parse_pbtxt_file(f"{schema.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
    )
    found = [
        *_described(anomalies, "Split", "{split} split: {text}"),
        *_described(skew, "SplitPair", "eval against train (validate.skew): {text}"),
        *_described(drift, "SplitPair", "drift since data last passed (validate.drift): {text}"),
        *_missing_classes(statistics, classes, min_examples_per_class),
    ]
    if found:
        raise DataAnomalyError("\n".join(found))
    io_utils.copy_dir(statistics.uri, validated.uri)
    validated.split_names = statistics.split_names
    validated.span = statistics.span


def class_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, int]:
    """Examples of each class in a split's statistics."""
    for feature in statistics.datasets[0].features:
        if list(feature.path.step) == [LABEL_KEY]:
            buckets = feature.string_stats.rank_histogram.buckets
            return {bucket.label: round(bucket.sample_count) for bucket in buckets}
    return {}


def _described(artifact: ExampleAnomalies, folder: str, sentence: str) -> Iterator[str]:
    if not artifact.split_names:  # DistributionValidator had nothing to compare with.
        return
    for split in artifact_utils.decode_split_names(artifact.split_names):
        path = f"{artifact.uri}/{folder}-{split}/{_ANOMALIES_FILE}"
        with tfx.dsl.io.fileio.open(path, "rb") as file:
            anomalies = anomalies_pb2.Anomalies.FromString(file.read())
        if anomalies.data_missing:
            yield sentence.format(split=split, text="has no examples")
        for reason in anomalies.dataset_anomaly_info.reason:
            yield sentence.format(split=split, text=_one_line(reason))
        for key, info in sorted(anomalies.anomaly_info.items()):
            name = ".".join(info.path.step) or key
            for reason in info.reason:
                yield sentence.format(split=split, text=f"{name}: {_one_line(reason)}")


def _one_line(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    return " ".join((reason.description or reason.short_description).split())


def _missing_classes(artifact: ExampleStatistics, classes: list[str], least: int) -> Iterator[str]:
    for split in artifact_utils.decode_split_names(artifact.split_names):
        counts = class_counts(stats_artifact_utils.load_statistics(artifact, split).proto())
        for name in classes:
            if counts.get(name, 0) < least:
                yield (
                    f"{split} split: class {name!r} has {counts.get(name, 0)} examples, and "
                    f"validate.min_examples_per_class asks for {least}"
                )
