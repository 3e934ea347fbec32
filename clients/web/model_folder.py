"""Which model the page is served with."""

import json
from pathlib import Path

from pipeline.errors import UserError
from pipeline.version_folder import VersionFolder

MANIFEST_FILE = "manifest.json"


class ModelFolder:
    """The newest pushed edge model, looked up anew each time; or the one the project ships."""

    def __init__(self, *bases: Path) -> None:
        """Takes folders by preference.

        Args:
            bases: each a folder of versions, or one version's folder.
        """
        self._bases = bases

    def newest(self) -> Path:
        """Returns the folder of the version to use.

        Raises:
            UserError: there is none.
        """
        for base in self._bases:
            if (base / MANIFEST_FILE).is_file():
                return base
            versions = VersionFolder(base)
            if newest := versions.newest():
                return versions.path(newest)
        raise UserError(
            f"No model was found in {' or '.join(map(str, self._bases))}; push one with make run."
        )

    def version(self, number: int) -> Path:
        """Returns the folder of a version that may no longer be the newest.

        Raises:
            UserError: there is none.
        """
        newest = self.newest()
        for folder in (newest, newest.parent / str(number)):
            manifest = folder / MANIFEST_FILE
            if manifest.is_file() and json.loads(manifest.read_bytes()).get("version") == number:
                return folder
        raise UserError(f"{newest.parent} has no version {number}.")
