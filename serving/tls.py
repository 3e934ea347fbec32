"""TLS and mutual TLS from TensorFlow Serving's SSLConfig file."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import grpc

from pipeline.errors import UserError
from serving.config_files import read_text_proto
from serving.config_protos import SSLConfig


def grpc_credentials(path: str) -> grpc.ServerCredentials:
    """Credentials of the gRPC port, from the file of --ssl_config_file.

    Raises:
      UserError: the file is malformed, its key does not match its certificate, or it asks for
        client certificates without naming their CA.
    """
    what = "--ssl_config_file"
    config = _read(path, what)
    # gRPC itself tells bad credentials no better than a port that is taken.
    _context(config, path, what)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def http_context(path: str) -> ssl.SSLContext:
    """TLS context of the REST port, from the file of --rest_api_ssl_config_file.

    Raises:
      UserError: as `grpc_credentials`.
    """
    what = "--rest_api_ssl_config_file"
    return _context(_read(path, what), path, what)


def _context(config: SSLConfig, path: str, what: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The ssl module reads keys only from files.
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "cert.pem"
        key.touch(mode=0o600)
        key.write_text(config.server_key)
        certificate.write_text(config.server_cert)
        try:
            # Without a password an encrypted key would be asked for on the terminal.
            context.load_cert_chain(certificate, key, password="")
            if config.custom_ca:
                context.load_verify_locations(cadata=config.custom_ca)
        except (ssl.SSLError, ValueError) as error:
            raise UserError(
                f"The SSL config file {path} of {what} has a bad certificate or key: {error}"
            ) from None
    if config.client_verify:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _read(path: str, what: str) -> SSLConfig:
    config = read_text_proto(path, SSLConfig(), what)
    file = f"The SSL config file {path} of {what}"
    if not config.server_key or not config.server_cert:
        raise UserError(f"{file} needs both server_key and server_cert.")
    if config.client_verify and not config.custom_ca:
        raise UserError(f"{file} sets client_verify without custom_ca.")
    return config
