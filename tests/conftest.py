"""What holds for all tests: their order, and no log handlers left over."""

import logging
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts with the longest file: begun last, it would keep one process busy and no other."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(autouse=True)
def _own_log_handlers() -> Iterator[None]:
    """Gives back the root logger that programs take over for the rest of a process.

    Their handlers write to a test's captured stream, which is closed after it.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
