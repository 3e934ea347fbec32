"""Reports of components: a JSON file in the folder of an artifact."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ValidationError

from pipeline.errors import UserError


class StoredReport(BaseModel):
    """A report that is written whole or not at all.

    Attributes:
        FILE: its file, in the artifact's folder.
        WHAT: what it is, with its article, for a message.
    """

    FILE: ClassVar[str]
    WHAT: ClassVar[str]

    def write(self, folder: str) -> None:
        """Writes the file into the folder, which is made if there is none."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / self.FILE
        partial = path.with_name(f".{self.FILE}.part")
        partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def read(cls, folder: str) -> Self:
        """Reads the report of an artifact.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = Path(folder) / cls.FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise UserError(f"{path} is not {cls.WHAT}; run the pipeline again.") from None
