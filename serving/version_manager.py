"""Loads, swaps and retires versions while requests keep being answered.

The order is that of TensorFlow Serving's AvailabilityPreservingPolicy: a version that is no longer
wanted stays until a wanted one is available, so a version that fails to load takes nothing down.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from serving.errors import ServingError, from_exception, not_found
from serving.version_policy import aspired_versions, versions_on_disk
from serving.version_status import RetryPolicy, State, VersionStatus

if TYPE_CHECKING:  # Importing it imports TensorFlow.
    from serving.servable import Servable

_log = logging.getLogger(__name__)


class VersionManager:
    """Keeps the wanted versions of every model loaded."""

    def __init__(
        self,
        load: Callable[[str, int, str], Servable],
        *,
        after_unload: Callable[[], None] = lambda: None,
        retry: RetryPolicy | None = None,
        load_threads: int = 1,
        poll_seconds: float = 1.0,
    ) -> None:
        """Prepares an idle manager.

        Args:
          load: loads one version, given model name, version and folder.
          after_unload: called when a version has been freed.
          retry: what happens after a load that failed.
          load_threads: versions loaded at the same time.
          poll_seconds: time between two looks at the file system; 0 looks only once.
        """
        self._load = load
        self._after_unload = after_unload
        self._retry = retry or RetryPolicy()
        self._poll_seconds = poll_seconds
        self._models: dict[str, Any] = {}
        self._versions: dict[str, dict[int, VersionStatus]] = {}
        self._available: dict[str, dict[int, Servable]] = {}
        self._complaints: dict[str, str] = {}
        self.changed = threading.Condition(threading.RLock())
        self._wake = threading.Event()
        self._looking = threading.Lock()
        self._stopping = False
        self._loaders = ThreadPoolExecutor(max(load_threads, 1), thread_name_prefix="load")
        self._unloaders = ThreadPoolExecutor(4, thread_name_prefix="unload")
        self._thread = threading.Thread(target=self._run, name="versions", daemon=True)

    def start(self) -> None:
        """Starts looking at the file system."""
        self._thread.start()

    def close(self) -> None:
        """Stops looking, and retires every version once its requests have ended."""
        with self.changed:
            self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._loaders.shutdown(wait=True, cancel_futures=True)
        with self.changed:
            for name in list(self._available):
                for version in list(self._available[name]):
                    self._retire(name, version)
        self._unloaders.shutdown(wait=True)

    def set_models(self, models: Mapping[str, Any]) -> None:
        """Replaces the list of models, each a `ModelConfig` by name."""
        with self.changed:
            self._models = dict(models)
            for name, statuses in self._versions.items():
                if name not in models:
                    for status in statuses.values():
                        status.forgo()
                    self._retire_unwanted(name)
            self.changed.notify_all()
        self._look()
        self._wake.set()

    def acquire(self, name: str, version: int | None) -> Servable:
        """The version that answers a request, which must `release` it.

        Raises:
          ServingError: NOT_FOUND.
        """
        while True:
            versions = self._available.get(name, {})
            wanted = max(versions, default=-1) if version is None else version
            servable = versions.get(wanted)
            if servable is None:
                request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
                raise not_found(f"Servable not found for request: {request}")
            # A retired version has already left the map: look again.
            if servable.try_acquire():
                return servable

    def statuses(self, name: str) -> dict[int, VersionStatus]:
        """Every version ever seen of a model, highest first."""
        with self.changed:
            return dict(sorted(self._versions.get(name, {}).items(), reverse=True))

    def knows(self, name: str) -> bool:
        """Whether a model of this name is configured."""
        return name in self._models

    def _run(self) -> None:
        while True:
            self._wake.wait(self._seconds_to_next_step())
            self._wake.clear()
            with self.changed:
                if self._stopping:
                    return
            if self._poll_seconds > 0:
                self._look()
            self._retry_due()

    def _seconds_to_next_step(self) -> float | None:
        with self.changed:
            due = [
                status.retry_at - time.monotonic()
                for statuses in self._versions.values()
                for status in statuses.values()
                if status.state == State.LOADING and status.retry_at
            ]
        if self._poll_seconds > 0:
            due.append(self._poll_seconds)
        return max(min(due), 0.0) if due else None

    def _look(self) -> None:
        # One look at a time: the later one must not be overtaken by what an earlier one saw.
        with self._looking:
            self._look_at_each()

    def _look_at_each(self) -> None:
        for name, config in list(self._models.items()):
            try:
                found = versions_on_disk(config.base_path)
            except OSError as error:
                # A path that is missing for a moment must not unload what works.
                self._complain(
                    name,
                    f"Could not find base path {config.base_path} for servable {name} with error "
                    f"{error.strerror}",
                )
                continue
            wanted = aspired_versions(config.model_version_policy, found)
            if not wanted:
                self._complain(
                    name,
                    f"No versions of servable {name} found under base path {config.base_path}. "
                    "Did you forget to name your leaf directory as a number (eg. '/1/')?",
                )
            else:
                self._complaints.pop(name, None)
            with self.changed:
                if self._models.get(name) is config:
                    self._aspire(name, {version: found[version] for version in wanted})

    def _complain(self, name: str, sentence: str) -> None:
        if self._complaints.get(name) != sentence:
            self._complaints[name] = sentence
            _log.warning("%s", sentence)

    def _aspire(self, name: str, wanted: Mapping[int, str]) -> None:
        statuses = self._versions.setdefault(name, {})
        for version, status in statuses.items():
            if version not in wanted:
                status.forgo()
        for version in sorted(wanted, reverse=True):
            known = statuses.get(version)
            if known and known.path != wanted[version]:
                self._move(name, version, known, wanted[version])
            elif known and (known.aspired or known.state != State.END):
                # One that is unloading now is loaded again when it has ended.
                known.aspired = True
            else:
                self._start_load(name, version, wanted[version])
        self._retire_unwanted(name)
        self.changed.notify_all()

    def _move(self, name: str, version: int, known: VersionStatus, path: str) -> None:
        """Loads a version from another folder, and serves the one of before no more."""
        if known.state == State.AVAILABLE:
            self._retire(name, version)
        if known.state == State.UNLOADING:
            known.path, known.aspired = path, True
        else:
            known.forgo()
            self._start_load(name, version, path)

    def _start_load(self, name: str, version: int, path: str) -> None:
        status = VersionStatus(path, State.LOADING)
        self._versions[name][version] = status
        self._loaders.submit(self._attempt, name, version, status)

    def _attempt(self, name: str, version: int, status: VersionStatus) -> None:
        with self.changed:
            if not status.aspired:  # Since it has waited for a thread.
                status.state = State.END
                self.changed.notify_all()
                return
        try:
            servable = self._load(name, version, status.path)
        except Exception as error:
            self._failed(name, version, status, from_exception(error))
            return
        with self.changed:
            if self._versions[name][version] is not status:  # Another folder's now.
                self._unloaders.submit(self._unload, servable, status)
                return
            status.state, status.error, status.retry_at = State.AVAILABLE, None, 0.0
            self._publish(name, {**self._available.get(name, {}), version: servable})
            _log.info("Successfully loaded servable version {name: %s version: %d}", name, version)
            self._retire_unwanted(name)
            self.changed.notify_all()

    def _failed(self, name: str, version: int, status: VersionStatus, error: ServingError) -> None:
        with self.changed:
            status.error = error
            status.failures += 1
            gives_up = status.failures > self._retry.retries or not status.aspired
            if gives_up:
                status.state, status.retry_at = State.END, 0.0
            else:
                status.retry_at = time.monotonic() + max(self._retry.interval_seconds, 0.001)
            self.changed.notify_all()
        _log.error(
            "Loading servable: {name: %s version: %d} failed: %s%s",
            name,
            version,
            error,
            "" if gives_up else f" (retry in {self._retry.interval_seconds:g} s)",
        )
        self._wake.set()

    def _retry_due(self) -> None:
        with self.changed:
            for name, statuses in self._versions.items():
                for version, status in statuses.items():
                    due = status.retry_at and status.retry_at <= time.monotonic()
                    if status.state == State.LOADING and due:
                        status.retry_at = 0.0
                        self._loaders.submit(self._attempt, name, version, status)

    def _retire_unwanted(self, name: str) -> None:
        statuses = self._versions.get(name, {})
        wanted = [status for status in statuses.values() if status.aspired]
        replaced = any(status.state == State.AVAILABLE for status in wanted)
        unwanted = sorted(v for v in self._available.get(name, {}) if not statuses[v].aspired)
        # As TensorFlow Serving's AvailabilityPreservingPolicy: until a wanted one has loaded, the
        # newest of the others answers. All would pile up if versions came faster than they load.
        if wanted and not replaced:
            unwanted = unwanted[:-1]
        for version in unwanted:
            self._retire(name, version)

    def _retire(self, name: str, version: int) -> None:
        left = dict(self._available[name])
        servable = left.pop(version)
        self._publish(name, left)
        status = self._versions[name][version]
        status.state = State.UNLOADING
        self._unloaders.submit(self._unload, servable, status)

    def _unload(self, servable: Servable, status: VersionStatus) -> None:
        name, version = servable.name, servable.version
        servable.retire()
        del servable
        with self.changed:
            status.state = State.END
            if status.aspired and not self._stopping:
                self._start_load(name, version, status.path)
            self.changed.notify_all()
        _log.info("Done unloading servable version {name: %s version: %d}", name, version)
        self._after_unload()

    def _publish(self, name: str, versions: dict[int, Servable]) -> None:
        # Readers take no lock: they see the old map or the new one.
        self._available = {**self._available, name: versions}
