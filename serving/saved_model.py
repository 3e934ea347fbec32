"""Loads a SavedModel into a session the way TensorFlow Serving's C++ loader does.

`tf.saved_model.load` rebuilds Python objects and so accepts models that the C++ loader rejects
("Could not find variable"). Importing the graph and running its restore and init operations, as
`tensorflow/cc/saved_model/loader.cc` does, accepts exactly what the real server accepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2

from serving.errors import ServingError, StatusCode, not_found

INIT_OP = "__saved_model_init_op"


@dataclass(frozen=True)
class LoadedModel:
    """A session that holds the restored graph, and the signatures it was exported with."""

    session: Any = field(repr=False)
    signature_defs: Mapping[str, Any]

    @property
    def graph(self) -> Any:
        """The imported graph."""
        return self.session.graph

    def close(self) -> None:
        """Frees the variables; the model must not be used afterwards."""
        self.session.close()


def load(export_dir: str, tags: Set[str], config: Any = None) -> LoadedModel:
    """Loads one version.

    Args:
      export_dir: folder with `saved_model.pb`.
      tags: exact tag set of the MetaGraphDef to load.
      config: `ConfigProto` of the session.

    Raises:
      ServingError: the folder holds no readable SavedModel with these tags.
      tf.errors.OpError: restoring or initializing it failed.
    """
    meta_graph = _read_meta_graph(Path(export_dir), tags)
    graph = tf.Graph()
    with graph.as_default():
        try:
            tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
        except ValueError as error:
            raise ServingError(StatusCode.INVALID_ARGUMENT, str(error)) from None
    session = tf.compat.v1.Session(graph=graph, config=config or config_pb2.ConfigProto())
    try:
        _restore(session, meta_graph, Path(export_dir))
    except Exception:
        session.close()
        raise
    return LoadedModel(session, dict(meta_graph.signature_def))


def _read_meta_graph(export_dir: Path, tags: Set[str]) -> Any:
    path = export_dir / "saved_model.pb"
    try:
        content = path.read_bytes()
    except OSError:
        raise not_found(
            "Could not find SavedModel .pb or .pbtxt at supplied export directory path: "
            f"{export_dir}. Check that the directory exists and that you have the right "
            "permissions for accessing it."
        ) from None
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(content)
    except DecodeError:
        raise ServingError(StatusCode.DATA_LOSS, f"Can't parse {path} as binary proto") from None
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == set(tags):
            return meta_graph
    raise not_found(
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(sorted(tags))} }}. "
        "To inspect available tag-sets in the SavedModel, please use the SavedModel CLI: "
        "`saved_model_cli`"
    )


def _restore(session: Any, meta_graph: Any, export_dir: Path) -> None:
    assets = {
        asset.tensor_info.name: str(export_dir / "assets" / asset.filename)
        for asset in _asset_files(meta_graph)
    }
    saver = meta_graph.saver_def
    if (export_dir / "variables" / "variables.index").exists() and saver.restore_op_name:
        prefix = {saver.filename_tensor_name: str(export_dir / "variables" / "variables")}
        session.run(saver.restore_op_name, {**assets, **prefix})
    init_op = _init_op_name(meta_graph)
    if init_op:
        session.run(init_op, assets)


def _asset_files(meta_graph: Any) -> list[Any]:
    if meta_graph.asset_file_def:
        return list(meta_graph.asset_file_def)
    assets = []
    for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
        asset = meta_graph_pb2.AssetFileDef()
        packed.Unpack(asset)
        assets.append(asset)
    return assets


def _init_op_name(meta_graph: Any) -> str:
    if INIT_OP in meta_graph.signature_def:
        return str(meta_graph.signature_def[INIT_OP].outputs[INIT_OP].name)
    for collection in ("saved_model_main_op", "legacy_init_op"):
        names = meta_graph.collection_def[collection].node_list.value
        if names:
            return str(names[0])
    return ""
