"""Takes up a model config file that is edited while the server runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pipeline.errors import UserError
from serving.errors import ServingError

_log = logging.getLogger(__name__)


class ConfigWatch:
    """Compares a config with the one in force, each time it is asked to look."""

    def __init__(
        self, read: Callable[[], Any], apply: Callable[[Any], None], applied: Callable[[], Any]
    ) -> None:
        """Watches a file.

        Args:
          read: reads the file.
          apply: makes a config the one in force.
          applied: the config in force, whoever applied it.
        """
        self._read = read
        self._apply = apply
        self._applied = applied
        self._complaint = ""

    def look(self) -> None:
        """Applies the file if it differs from the config in force; a failure is only logged.

        What was refused may be taken later without an edit, when a version has loaded or appeared.
        """
        try:
            config = self._read()
            if config != self._applied():
                self._apply(config)
            self._complaint = ""
        except (UserError, ServingError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.error("The model config was not reloaded: %s", error)
