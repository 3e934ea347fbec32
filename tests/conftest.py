"""The order of the tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts with the longest file: begun last, it would keep one process busy and no other."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
