"""What docs/webcam.md tells people to type."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def test_the_clients_own_environment_is_beside_the_projects() -> None:
    """In `.venv`, uv would remove all packages but the client's, and `make` would not notice."""
    page = (PROJECT / "docs" / "webcam.md").read_text()
    commands = re.findall(r".*uv sync.*", page)
    assert commands
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    for command in commands:
        environment = re.search(r"UV_PROJECT_ENVIRONMENT=(\S+)", command)
        assert environment is not None, command
        assert f"/{environment[1]}/" in ignored
        assert f"{environment[1]}/bin/python -m clients.webcam" in page
