"""`run.metadata`: SQLite or a server, and never a password in a settings file."""

import pytest

from pipeline import config, metadata_address
from pipeline.errors import UserError


def _refusal(address: str) -> str:
    with pytest.raises(UserError) as refused:
        config.load(assignments=[f"run.metadata={address}"])
    return str(refused.value)


def test_the_workspaces_file_is_the_default() -> None:
    assert metadata_address.parse(config.load().run.metadata) is None


def test_a_server_is_named_with_the_variable_of_its_password() -> None:
    server = metadata_address.parse("mysql://tfx:$MLMD_PASSWORD@db.internal/faces")
    assert server == ("tfx", "MLMD_PASSWORD", "db.internal", 3306, "faces")
    server = metadata_address.parse("mysql://tfx:$P@[::1]:3307/faces")
    assert server == ("tfx", "P", "::1", 3307, "faces")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("oracle://me:$P@host/db", "must be sqlite or mysql"),
        ("postgresql://me:$P@host/db", "can't be PostgreSQL"),
        ("mysql://host/db", "must name user, host and database"),
        ("mysql://me:$P@host", "must name user, host and database"),
        ("mysql://me:$P@host:port/db", "no address of a database"),
        ("mysql://me@host/db", "name an environment variable"),
    ],
)
def test_what_is_no_address_is_one_sentence(address: str, told: str) -> None:
    assert told in _refusal(address)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="must not hold a password") as refused:
        metadata_address.parse("mysql://me:hunter2@host/db")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("password", ["s3c/ret", "s3c?ret", "s3c#ret", "[s3c", "s3c\u2100ret"])
def test_no_piece_of_a_password_is_repeated_where_it_ends_the_host(password: str) -> None:
    told = _refusal(f"mysql://me:{password}@host/db")
    assert "no address of a database" in told
    assert "percent-encoded" in told
    assert "s3c" not in told


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    server = metadata_address.parse("mysql://me:$P@host/db")
    assert server is not None
    monkeypatch.setenv("P", "hunter2")
    assert server.password() == "hunter2"
    monkeypatch.delenv("P")
    with pytest.raises(UserError, match="environment variable P, which is not set"):
        server.password()
