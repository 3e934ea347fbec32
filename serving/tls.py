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
    """Credentials of the gRPC port.

    Raises:
      UserError: the file is malformed or asks for client certificates without naming their CA.
    """
    config = _read(path)
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def http_context(path: str) -> ssl.SSLContext:
    """TLS context of the REST port.

    Raises:
      UserError: as `grpc_credentials`, or the key does not match the certificate.
    """
    config = _read(path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The ssl module reads keys only from files.
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "cert.pem"
        key.touch(mode=0o600)
        key.write_text(config.server_key)
        certificate.write_text(config.server_cert)
        try:
            context.load_cert_chain(certificate, key)
            if config.custom_ca:
                context.load_verify_locations(cadata=config.custom_ca)
        except (ssl.SSLError, ValueError) as error:
            raise UserError(
                f"The SSL config file {path} has a bad certificate or key: {error}"
            ) from None
    if config.client_verify:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _read(path: str) -> SSLConfig:
    config = read_text_proto(path, SSLConfig(), "SSL config")
    if not config.server_key or not config.server_cert:
        raise UserError(f"The SSL config file {path} needs both server_key and server_cert.")
    if config.client_verify and not config.custom_ca:
        raise UserError(f"The SSL config file {path} sets client_verify without custom_ca.")
    return config
