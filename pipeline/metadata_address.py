"""The setting `run.metadata`: a file of the workspace, or a database server."""

import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.errors import UserError

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_PORT = 3306


class Server(NamedTuple):
    """A MySQL or MariaDB server for ML Metadata.

    Attributes:
      user: Who signs in.
      variable: Environment variable that holds the password.
      host: Name or address.
      port: TCP port.
      database: Is made if it is not there and the user may.
    """

    user: str
    variable: str
    host: str
    port: int
    database: str

    def password(self) -> str:
        """Reads the password.

        Raises:
          UserError: The environment variable is not set.
        """
        try:
            return os.environ[self.variable]
        except KeyError:
            raise UserError(
                f"run.metadata takes the password of {self.user} from the environment variable "
                f"{self.variable}, which is not set."
            ) from None


def parse(address: str) -> Server | None:
    """Reads the setting; none is the workspace's SQLite file.

    Raises:
      ValueError: It is neither, or holds a password instead of a variable's name.
    """
    if address == "sqlite":
        return None
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        # The parser repeats what it stumbles over, which may be a piece of a password.
        raise ValueError(
            "run.metadata is no address of a database such as "
            f"mysql://user:$VARIABLE@host:{_PORT}/database; / ? # : @ in a name are written "
            "percent-encoded, as %2F"
        ) from None
    if url.scheme in ("postgres", "postgresql"):
        # It indexes whole values of up to 2,704 bytes, and TFX's parameters are longer.
        raise ValueError("run.metadata can't be PostgreSQL, which ML Metadata can't keep TFX in")
    if url.scheme != "mysql":
        raise ValueError("run.metadata must be sqlite or mysql://...")
    database = url.path.removeprefix("/")
    if not url.username or not url.hostname or not re.fullmatch(r"[\w-]+", database):
        raise ValueError(
            "run.metadata must name user, host and database, as in "
            f"mysql://user:$VARIABLE@host:{_PORT}/database"
        )
    variable = _VARIABLE.fullmatch(url.password or "")
    if variable is None:
        # The value itself may be a password, so it is not repeated.
        raise ValueError(
            "run.metadata must not hold a password; name an environment variable in its place, "
            f"as in mysql://{url.username}:$VARIABLE@{url.hostname}/{database}"
        )
    return Server(
        user=unquote(url.username),
        variable=variable[1],
        host=url.hostname,
        port=port or _PORT,
        database=database,
    )
