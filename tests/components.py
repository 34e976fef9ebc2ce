"""What a test needs of the machine: without it the test is skipped, and fails under ``CI=true``."""

import os

import pytest


def need(there: bool, what: str) -> None:
    """``what`` says what is missing and how to get it."""
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
