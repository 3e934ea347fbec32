"""The models in service: configuration, version labels, and the version a request means."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from serving.config_files import check_model_config
from serving.deadline import NO_DEADLINE, Deadline
from serving.errors import ServingError, StatusCode, invalid_argument, not_found
from serving.request_log import RequestLog
from serving.servable import Servable
from serving.version_manager import VersionManager
from serving.version_policy import aspired_versions, versions_on_disk
from serving.version_status import State

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
"""Time between two looks whether the client of a reload is still there."""


class ServerCore:
    """Applies configurations and finds servables.

    Attributes:
      manager: loads the versions.
      request_log: samples requests.
      applied: the ModelServerConfig that was taken last, None at first; an empty one left the
        models as they were.
    """

    def __init__(
        self,
        manager: VersionManager,
        request_log: RequestLog,
        *,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        """Wraps a manager that is not started yet.

        Args:
          manager: loads the versions.
          request_log: samples requests of models that configure it.
          allow_labels_for_unavailable: a new label may name a version that is not available.
        """
        self.manager = manager
        self.request_log = request_log
        self.applied: Any = None
        self._allow_labels = allow_labels_for_unavailable
        self._labels: dict[str, dict[str, int]] = {}
        self._models: dict[str, Any] = {}
        self._awaited: set[str] = set()
        self._reload_lock = threading.Lock()
        self._stopping = threading.Event()

    def apply(self, config: Any, deadline: Deadline = NO_DEADLINE) -> None:
        """Makes a ModelServerConfig the whole configuration, and waits for its new models.

        A config that is refused changes nothing, nor does one whose deadline passes while others
        are applied. If it passes later, the models go on loading, and the next to ask for them
        waits for them too.

        Raises:
          ServingError: the config breaks a rule, a new model did not become available, or nobody
            waits any more.
        """
        with self._turn(deadline):
            if config.WhichOneof("config") is None:
                _log.info("Taking no action for empty config.")
                self.applied = config
                return
            check_model_config(config)
            models = {model.name: model for model in config.model_config_list.config}
            labels = {name: self._checked_labels(name, model) for name, model in models.items()}
            new_models = [
                name for name in models if name not in self._models or name in self._awaited
            ]
            if self._models:
                # At startup a model may come later; a reload would block every later one.
                for name in new_models:
                    _check_has_versions(models[name])
            self.request_log.update(models)
            self._labels, self._models, self.applied = labels, models, config
            self._awaited = set(new_models)
            self.manager.set_models(models)
            self._await_available(new_models, deadline)

    def stop_waiting(self) -> None:
        """Ends every wait for a model."""
        self._stopping.set()
        with self.manager.changed:
            self.manager.changed.notify_all()

    @contextmanager
    def servable(self, model_spec: Any) -> Iterator[Servable]:
        """The version a ModelSpec means, held until the block ends.

        Raises:
          ServingError: there is no such model, version or label.
        """
        if not model_spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        servable = self.manager.acquire(model_spec.name, self._wanted_version(model_spec))
        try:
            yield servable
        finally:
            servable.release()

    def status(self, model_spec: Any, response: Any) -> None:
        """Fills a GetModelStatusResponse; a label, as in TensorFlow Serving, changes nothing.

        Raises:
          ServingError: NOT_FOUND.
        """
        name = model_spec.name
        statuses = self.manager.statuses(name)
        if model_spec.HasField("version"):
            version = model_spec.version.value
            if version not in statuses:
                raise not_found(f"Could not find version {version} of model {name}")
            statuses = {version: statuses[version]}
        if not statuses:
            raise not_found(f"Could not find any versions of model {name}")
        for version, status in statuses.items():
            entry = response.model_version_status.add(version=version, state=int(status.state))
            if status.error:
                entry.status.error_code = status.error.code.value[0]
                entry.status.error_message = status.error.message
            else:
                entry.status.SetInParent()

    def ready(self) -> bool:
        """Whether every configured model has an available version."""
        return all(self._is_available(name) for name in self._models)

    @contextmanager
    def _turn(self, deadline: Deadline) -> Iterator[None]:
        while not self._reload_lock.acquire(timeout=min(deadline.seconds_left(), _LOOK_SECONDS)):
            pass
        try:
            yield
        finally:
            self._reload_lock.release()

    def _wanted_version(self, model_spec: Any) -> int | None:
        choice = model_spec.WhichOneof("version_choice")
        if choice == "version":
            return int(model_spec.version.value)
        if choice == "version_label":
            label = model_spec.version_label
            version = self._labels.get(model_spec.name, {}).get(label)
            if version is None:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
            return version
        return None

    def _checked_labels(self, name: str, model: Any) -> dict[str, int]:
        statuses = self.manager.statuses(name)
        current = self._labels.get(name, {})
        for label, version in model.version_labels.items():
            available = version in statuses and statuses[version].state == State.AVAILABLE
            # Moving a label that is in use to a version still loading would drop its requests.
            unused = current.get(label, version) == version
            if not available and not (self._allow_labels and unused):
                raise ServingError(
                    StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {name}, which is not "
                    "currently available for inference",
                )
        return dict(model.version_labels)

    def _is_available(self, name: str) -> bool:
        return any(
            status.state == State.AVAILABLE for status in self.manager.statuses(name).values()
        )

    def _is_settled(self, name: str) -> bool:
        """Whether something can answer and every wanted version has been tried once."""
        return self._is_available(name) and all(
            status.state == State.AVAILABLE or status.error
            for status in self.manager.statuses(name).values()
            if status.aspired
        )

    def _has_failed(self, name: str) -> bool:
        statuses = [status for status in self.manager.statuses(name).values() if status.aspired]
        return bool(statuses) and all(
            status.state == State.END and status.error for status in statuses
        )

    def _await_available(self, names: Sequence[str], deadline: Deadline) -> None:
        def settled() -> bool:
            return self._stopping.is_set() or all(
                self._is_settled(name) or self._has_failed(name) for name in names
            )

        with self.manager.changed:
            while not settled():
                self.manager.changed.wait(min(deadline.seconds_left(), _LOOK_SECONDS))
        self._awaited.clear()
        if self._stopping.is_set():
            raise ServingError(StatusCode.CANCELLED, "The server is stopping.")
        failed = [
            f"{{{{name: {name} version: {version}}} due to error: {status.error}}}, "
            for name in names
            if not self._is_available(name)
            for version, status in self.manager.statuses(name).items()
            if status.aspired
        ]
        if failed:
            raise ServingError(
                StatusCode.UNKNOWN,
                f"{len(failed)} model(s) did not become available: {{{''.join(failed)}}}",
            )


def _check_has_versions(model: Any) -> None:
    name, base_path = model.name, model.base_path
    try:
        found = versions_on_disk(base_path)
    except OSError as error:
        raise invalid_argument(
            f"Could not find base path {base_path} for servable {name} with error {error.strerror}"
        ) from None
    if not found:
        raise not_found(
            f"Unable to find a numerical version path for servable {name} at: {base_path}"
        )
    if not aspired_versions(model.model_version_policy, found):
        raise not_found(
            f"Unable to find a version that the policy of servable {name} asks for at: {base_path}"
        )
