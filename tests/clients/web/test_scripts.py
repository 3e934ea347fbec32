"""The page's own tests and checks, so that one command runs all."""

from pathlib import Path

import pytest

from clients.web.build import npm


@pytest.mark.parametrize("script", ["lint", "test"])
def test_the_page_passes(script: str, dist: Path) -> None:
    npm("run", script)
