"""The schema that data are held to: the curated one, with the label domain of the data."""

import tfx.v1 as tfx
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema
from tfx.utils import io_utils

from pipeline.features import LABEL_KEY

SCHEMA_FILE = "schema.pbtxt"


@component
def CuratedSchemaGen(
    inferred: InputArtifact[Schema],
    schema: OutputArtifact[Schema],
    curated: Parameter[str],
    pin: Parameter[bool],
    code_fingerprint: Parameter[str],
) -> None:
    """Emits the curated schema, its label domain taken from the data unless it is pinned.

    Stands in for TFX's ImportSchemaGen, which can only copy a file, so that a folder of other
    classes would need an edited schema before its first run.

    Args:
      inferred: SchemaGen's output.
      schema: The schema for ExampleValidator, Transform and Trainer.
      curated: Text proto of the curated schema; text, not a path, so that an edit is a new input.
      pin: Keep the curated label domain whatever the data hold.
      code_fingerprint: Digest of this component's code; a new one runs it again.
    """
    found = io_utils.parse_pbtxt_file(f"{inferred.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
    merged = text_format.Parse(curated, schema_pb2.Schema())
    if not pin:
        follow_labels(merged, found)
    tfx.dsl.io.fileio.makedirs(schema.uri)
    io_utils.write_pbtxt_file(f"{schema.uri}/{SCHEMA_FILE}", merged)


def follow_labels(curated: schema_pb2.Schema, inferred: schema_pb2.Schema) -> None:
    """Gives `curated` the label domain of `inferred`, in alphabetical order, in place."""
    names = sorted(label_domain(inferred))
    domain = _feature(curated, LABEL_KEY).string_domain
    if names and names != list(domain.value):
        domain.ClearField("value")
        domain.value.extend(names)


def label_domain(schema: schema_pb2.Schema) -> list[str]:
    """Class names that a schema allows, wherever it keeps the domain."""
    feature = _feature(schema, LABEL_KEY)
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    for domain in schema.string_domain:
        if domain.name == feature.domain:
            return list(domain.value)
    return []


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    return next(feature for feature in schema.feature if feature.name == name)
