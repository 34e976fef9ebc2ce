from collections.abc import Iterator

import pytest
from answers_support import Services


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with Services() as running:
        yield running
