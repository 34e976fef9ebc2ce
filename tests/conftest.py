"""Fixtures that every test may use, and the order of the tests."""

import pytest

pytest_plugins = ["postgres"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first, so that at the end no worker is alone with one of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
