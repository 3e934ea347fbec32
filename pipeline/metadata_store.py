"""How ML Metadata is connected to."""

import tfx.v1 as tfx
from ml_metadata.proto import metadata_store_pb2

from pipeline import metadata_address
from pipeline.config import Settings
from pipeline.workspace import Workspace


def sqlite(workspace: Workspace) -> metadata_store_pb2.ConnectionConfig:
    """The connection to the workspace's own file."""
    return tfx.orchestration.metadata.sqlite_metadata_connection_config(str(workspace.metadata_db))


def connection(
    settings: Settings, workspace: Workspace, secret: bool = True
) -> metadata_store_pb2.ConnectionConfig:
    """The connection that `run.metadata` names.

    Args:
      settings: `run.metadata` is used.
      workspace: Has the file, if it is one.
      secret: With the password; without it for what is written down.

    Raises:
      UserError: The password is in no environment variable.
    """
    server = metadata_address.parse(settings.run.metadata)
    if server is None:
        return sqlite(workspace)
    config = metadata_store_pb2.ConnectionConfig()
    config.mysql.host = server.host
    config.mysql.port = server.port
    config.mysql.database = server.database
    config.mysql.user = server.user
    config.mysql.password = server.password() if secret else ""
    return config
