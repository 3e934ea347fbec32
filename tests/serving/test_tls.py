"""TLS and mutual TLS on both ports."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from pipeline.errors import UserError
from serving.config_protos import SSLConfig
from serving.process import ServerProcess
from serving.tls import grpc_credentials, http_context
from tests.serving.conftest import MODEL


@dataclass(frozen=True)
class Pair:
    key: bytes
    certificate: bytes


def issue(name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None) -> tuple:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = issuer or (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    pem = Pair(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )
    return pem, (subject, key)


@pytest.fixture(scope="module")
def authority() -> tuple:
    return issue("authority", None)


@pytest.fixture(scope="module")
def client_pair(authority: tuple) -> Pair:
    return issue("client", authority[1])[0]


def ssl_config(authority: tuple, folder: Path) -> Path:
    server, _ = issue("localhost", authority[1])
    config = SSLConfig(
        server_key=server.key.decode(),
        server_cert=server.certificate.decode(),
        custom_ca=authority[0].certificate.decode(),
        client_verify=True,
    )
    path = folder / "ssl.config"
    path.write_text(text_format.MessageToString(config))
    return path


@pytest.fixture(scope="module")
def server(
    model_root: Path, authority: tuple, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    path = ssl_config(authority, tmp_path_factory.mktemp("tls"))
    flags = [f"--model_name={MODEL}", f"--model_base_path={model_root}"]
    with ServerProcess(
        [*flags, f"--ssl_config_file={path}", f"--rest_api_ssl_config_file={path}"]
    ) as process:
        yield process


def ask(channel: grpc.Channel) -> int:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = MODEL
    answer = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, 10)
    return len(answer.model_version_status)


def test_a_client_with_a_certificate_is_answered_over_grpc(
    server: ServerProcess, authority: tuple, client_pair: Pair
) -> None:
    credentials = grpc.ssl_channel_credentials(
        authority[0].certificate, client_pair.key, client_pair.certificate
    )
    assert ask(grpc.secure_channel(f"localhost:{server.grpc_port}", credentials)) == 1


def test_a_client_without_a_certificate_is_turned_away_over_grpc(
    server: ServerProcess, authority: tuple
) -> None:
    credentials = grpc.ssl_channel_credentials(authority[0].certificate)
    with pytest.raises(grpc.RpcError) as caught:
        ask(grpc.secure_channel(f"localhost:{server.grpc_port}", credentials))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_plaintext_is_turned_away_over_grpc(server: ServerProcess) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ask(grpc.insecure_channel(f"localhost:{server.grpc_port}"))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_rest_asks_for_a_certificate_too(
    server: ServerProcess, authority: tuple, client_pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority[0].certificate)
    (tmp_path / "cert.pem").write_bytes(client_pair.certificate)
    (tmp_path / "key.pem").write_bytes(client_pair.key)
    url = f"https://localhost:{server.rest_port}/v1/models/{MODEL}"
    ca = str(tmp_path / "ca.pem")
    pair = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert requests.get(url, verify=ca, cert=pair, timeout=10).status_code == 200
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(url, verify=ca, timeout=10)


MAKERS = pytest.mark.parametrize(
    ("make", "flag"),
    [(grpc_credentials, "--ssl_config_file"), (http_context, "--rest_api_ssl_config_file")],
)
Make = Callable[[str], object]


def refusal(make: Make, path: Path) -> str:
    with pytest.raises(UserError) as caught:
        make(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@MAKERS
def test_a_file_without_a_key_is_told(make: Make, flag: str, tmp_path: Path) -> None:
    path = tmp_path / "ssl.config"
    path.write_text('server_cert: "x"')
    sentence = f"The SSL config file {path} of {flag} needs both server_key and server_cert."
    assert refusal(make, path) == sentence


@MAKERS
def test_a_file_that_is_missing_is_told(make: Make, flag: str, tmp_path: Path) -> None:
    assert refusal(make, tmp_path / "none").startswith(f"The {flag} file {tmp_path / 'none'} ")


@MAKERS
@pytest.mark.parametrize("part", ["server_key", "server_cert", "custom_ca"])
def test_a_certificate_or_key_that_is_none_is_told(
    make: Make, flag: str, part: str, authority: tuple, tmp_path: Path
) -> None:
    config = SSLConfig()
    text_format.Parse(ssl_config(authority, tmp_path).read_text(), config)
    setattr(config, part, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    path = tmp_path / "bad.config"
    path.write_text(text_format.MessageToString(config))
    sentence = f"The SSL config file {path} of {flag} has a bad certificate or key: "
    assert refusal(make, path).startswith(sentence)


@MAKERS
def test_a_key_with_a_password_is_told_and_none_is_asked_for(
    make: Make, flag: str, authority: tuple, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    certificate = authority[0].certificate.decode()
    config = SSLConfig(server_key=key.decode(), server_cert=certificate)
    path = tmp_path / "ssl.config"
    path.write_text(text_format.MessageToString(config))
    assert "has a bad certificate or key" in refusal(make, path)
