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
        self, read: Callable[[], Any], apply: Callable[[Any], None], in_force: Any
    ) -> None:
        """Watches from a config that has been applied.

        Args:
          read: reads the file.
          apply: makes a config the one in force.
          in_force: the config applied last.
        """
        self._read = read
        self._apply = apply
        self._in_force = in_force
        self._complaint = ""

    def look(self) -> None:
        """Applies the file if it differs from the config in force; a failure is only logged.

        What was refused may be taken later without an edit, when a version has loaded or appeared.
        """
        try:
            config = self._read()
            if config != self._in_force:
                self._apply(config)
                self._in_force = config
            self._complaint = ""
        except (UserError, ServingError) as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                _log.error("The model config was not reloaded: %s", error)
