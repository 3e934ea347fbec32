"""How ML Metadata is connected to."""

from ml_metadata.proto import metadata_store_pb2

from pipeline import metadata_address
from pipeline.config import Settings
from pipeline.workspace import Workspace


def sqlite(workspace: Workspace) -> metadata_store_pb2.ConnectionConfig:
    """The connection to the workspace's own file."""
    # As TFX's function of that name, which also makes the folder: that is not for those to do who
    # compile for another machine.
    return metadata_store_pb2.ConnectionConfig(
        sqlite=metadata_store_pb2.SqliteMetadataSourceConfig(
            filename_uri=str(workspace.metadata_db),
            connection_mode=metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE,
        )
    )


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
