"""One loaded version of a model, kept alive while requests use it."""

from __future__ import annotations

import threading
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from serving import batching, saved_model
from serving.config_files import BatchingOptions
from serving.errors import ServingError, StatusCode, invalid_argument
from serving.signature import DEFAULT_SIGNATURE, Signature


@dataclass(frozen=True)
class LoadOptions:
    """How versions are loaded.

    Attributes:
      tags: tag set of the MetaGraphDef.
      session_config: `ConfigProto` of the session.
      batching: None runs each request alone.
      timeout_ms: longest run in milliseconds; 0 for no limit.
      max_instances: most instances in one request.
    """

    tags: Set[str] = frozenset({"serve"})
    session_config: Any = None
    batching: BatchingOptions | None = None
    timeout_ms: int = 0
    max_instances: int = 1024


class Servable:
    """A version that answers requests until it is retired."""

    def __init__(self, name: str, version: int, path: str, options: LoadOptions) -> None:
        """Loads the version from `path`.

        Raises:
          ServingError, tf.errors.OpError: the version cannot be loaded.
        """
        self.name = name
        self.version = version
        self.path = path
        self._model = saved_model.load(path, options.tags, options.session_config)
        self.signature_defs = self._model.signature_defs
        try:
            self.signatures = {
                key: self._prepare(key, definition, options)
                for key, definition in sorted(self.signature_defs.items())
                if key != saved_model.INIT_OP
            }
        except Exception:
            self._model.close()
            raise
        self._condition = threading.Condition()
        self._users = 0
        self._retired = False

    def _prepare(self, key: str, definition: Any, options: LoadOptions) -> Signature:
        outputs = None
        if options.batching:
            outputs = batching.batch_outputs(
                self._model.graph, key, definition, options.batching, options.max_instances
            )
        return Signature(self._model.session, definition, options.timeout_ms, outputs)

    def try_acquire(self) -> bool:
        """Enters a request; False when the version is being retired."""
        with self._condition:
            if self._retired:
                return False
            self._users += 1
            return True

    def release(self) -> None:
        """Leaves a request that `try_acquire` entered."""
        with self._condition:
            self._users -= 1
            if not self._users:
                self._condition.notify_all()

    def retire(self) -> None:
        """Takes no further request, waits for those under way, and frees the model."""
        with self._condition:
            self._retired = True
            self._condition.wait_for(lambda: not self._users)
        self._model.close()

    def signature_for_predict(self, name: str) -> tuple[str, Signature]:
        """The signature a Predict call names, with its full name.

        Raises:
          ServingError: FAILED_PRECONDITION, in the words of `predict_util.cc`.
        """
        key = name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise ServingError(
                StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
            )
        return key, self.signatures[key]

    def signature_for_examples(self, name: str) -> tuple[str, Signature]:
        """The signature a Classify or Regress call names, with its full name.

        Raises:
          ServingError: INVALID_ARGUMENT, in the words of `classifier.cc`.
        """
        key = name or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise invalid_argument(f"No signature was found with the name: {key}")
        return key, self.signatures[key]
