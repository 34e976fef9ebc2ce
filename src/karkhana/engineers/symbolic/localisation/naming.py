"""Names of tests across runners: the suite's own command may be unittest, while the probes name tests as pytest does.

Knows names only.

>>> as_pytest_name("tests.test_cart.Cart.test_total")
'tests/test_cart.py::Cart::test_total'
"""

import shlex
from collections.abc import Collection

import msgspec

from karkhana.domain.suites import TestReport


def as_pytest_name(name: str, known: Collection[str] = ()) -> str:
    """pytest's name of a test that unittest names; of those in ``known`` the one that ends so, when only one does.

    >>> as_pytest_name("test_cart.Cart.test_total", ["tests/test_cart.py::Cart::test_total"])
    'tests/test_cart.py::Cart::test_total'
    """
    parts = name.split(".")
    if len(parts) < 3 or not all(part.isidentifier() for part in parts):
        return name
    *module, case, test = parts
    found = f"{'/'.join(module)}.py::{case}::{test}"
    longer = [other for other in known if other.endswith("/" + found)]
    return longer[0] if len(longer) == 1 and found not in known else found


def renamed(report: TestReport, known: Collection[str] = ()) -> TestReport:
    """The report with its tests named as pytest names them."""
    return msgspec.structs.replace(
        report,
        results=tuple(msgspec.structs.replace(r, name=as_pytest_name(r.name, known)) for r in report.results),
    )


def is_one_test(report: TestReport) -> bool:
    """Whether the whole command counts as one test, because nothing is known of the tests behind it."""
    return [result.name for result in report.results] == [shlex.join(report.command)]
