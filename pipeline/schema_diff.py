"""The curated schema beside the one that the data suggest."""

import itertools
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.utils import io_utils

from components.curated_schema_gen import SCHEMA_FILE, follow_labels
from pipeline.pipeline import CURATED_SCHEMA, read_curated_schema


def texts(inferred_folder: Path) -> tuple[str, str]:
    """The curated schema and what it would become, both as text protos.

    What statistics can't tell (environments, image and integer domains) is kept from the curated
    schema; types, shapes, presence and the label domain are the data's.

    Args:
      inferred_folder: SchemaGen's output folder.
    """
    curated = read_curated_schema()
    inferred = io_utils.parse_pbtxt_file(str(inferred_folder / SCHEMA_FILE), schema_pb2.Schema())
    by_name = {feature.name: feature for feature in inferred.feature}
    new = schema_pb2.Schema()
    new.CopyFrom(curated)
    del new.feature[:]
    for feature in curated.feature:
        if feature.name in by_name:
            found = by_name.pop(feature.name)
            kept = new.feature.add()
            kept.CopyFrom(feature)
            kept.type = found.type
            kept.presence.CopyFrom(found.presence)
            if found.HasField("shape"):
                kept.shape.CopyFrom(found.shape)
    new.feature.extend(by_name.values())
    follow_labels(new, inferred)
    return text_format.MessageToString(curated), text_format.MessageToString(new)


def write(schema: str, path: Path = CURATED_SCHEMA) -> None:
    """Replaces the curated schema, all but the comment that it begins with."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    comment = "".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
    partial = path.with_suffix(".part")
    partial.write_text(comment + schema, encoding="utf-8")
    partial.replace(path)
