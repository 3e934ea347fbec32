"""The setting `run.metadata`: a file of the workspace, or a database server."""

import os
import re
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.errors import UserError

_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_PORTS = {"mysql": 3306, "postgresql": 5432}


class Server(NamedTuple):
    """A database server for ML Metadata.

    Attributes:
      kind: MariaDB is `mysql` too.
      user: Who signs in.
      variable: Environment variable that holds the password.
      host: Name or address.
      port: TCP port.
      database: Must be there on PostgreSQL; is made on MySQL if the user may.
    """

    kind: Literal["mysql", "postgresql"]
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
    except ValueError as error:
        raise ValueError(f"run.metadata is no address of a database: {error}") from None
    if url.scheme not in _PORTS:
        raise ValueError("run.metadata must be sqlite, mysql://... or postgresql://...")
    database = url.path.removeprefix("/")
    if not url.username or not url.hostname or not re.fullmatch(r"[\w-]+", database):
        raise ValueError(
            f"run.metadata must name user, host and database, as in "
            f"{url.scheme}://user:$VARIABLE@host:{_PORTS[url.scheme]}/database"
        )
    variable = _VARIABLE.fullmatch(url.password or "")
    if variable is None:
        # The value itself may be a password, so it is not repeated.
        raise ValueError(
            "run.metadata must not hold a password; name an environment variable in its place, "
            f"as in {url.scheme}://{url.username}:$VARIABLE@{url.hostname}/{database}"
        )
    return Server(
        kind="mysql" if url.scheme == "mysql" else "postgresql",
        user=unquote(url.username),
        variable=variable[1],
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        database=database,
    )
