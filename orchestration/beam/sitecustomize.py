"""Lets Beam workers import TensorFlow Data Validation; Python runs this when it starts.

TFDV imports `tfx_bsl.arrow.sql_util`, which TFX-BSL's wheels leave out. Where TFX is imported
first, it puts a stand-in there; a worker imports what its functions come from, which may be TFDV
alone. This folder on the worker's PYTHONPATH supplies the stand-in, and costs nothing until it is
asked for. Should a wheel bring the module again, that one is found first.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_MISSING = "tfx_bsl.arrow.sql_util"


class _SqlUtil(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == _MISSING else None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["RecordBatchSQLSliceQuery"] = _RecordBatchSQLSliceQuery


class _RecordBatchSQLSliceQuery:
    def __init__(self, *_: object) -> None:
        raise NotImplementedError("Slices by SQL need a tfx_bsl that was built with ZetaSQL.")


sys.meta_path.append(_SqlUtil())
