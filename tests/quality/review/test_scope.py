"""Review: scope."""

import hashlib

import pytest
from quality_contexts import suite_report
from quality_reviews import failing, reviewed, rules_of

from karkhana.domain.changes import SYMLINK, Change, FileChange, FileState
from karkhana.domain.tasks import Ticket
from karkhana.quality.review import review

CART = "def total(items):\n    return sum(items)\n"


def test_a_file_without_any_connection_is_named() -> None:
    before = {"cart.py": CART, "colours.py": "red = 1\n"}
    after = {"cart.py": CART.replace("sum", "max"), "colours.py": "red = 2\n"}
    found = [f for f in reviewed(before, after, ticket="total in cart is wrong") if f.rule == "unrelated-edit"]
    assert [f.path for f in found] == ["colours.py"]


def test_the_ticket_connects() -> None:
    before = {"cart.py": CART, "colours.py": "red = 1\n"}
    after = {"cart.py": CART.replace("sum", "max"), "colours.py": "red = 2\n"}
    assert "unrelated-edit" not in rules_of(before, after, ticket="cart and colours are wrong")


def test_the_traceback_connects() -> None:
    before = {"cart.py": CART, "colours.py": "red = 1\n"}
    after = {"cart.py": CART.replace("sum", "max"), "colours.py": "red = 2\n"}
    baseline = failing(traceback="colours.py:1: ValueError\ncart.py:2: ValueError")
    assert "unrelated-edit" not in rules_of(before, after, ticket="it is wrong", baseline=baseline)


def test_an_import_connects() -> None:
    cart = "import colours\n" + CART
    before = {"cart.py": cart, "colours.py": "red = 1\n"}
    after = {"cart.py": cart.replace("sum", "max"), "colours.py": "red = 2\n"}
    assert "unrelated-edit" not in rules_of(before, after, ticket="cart is wrong")


def test_documents_and_tests_are_never_unrelated() -> None:
    before = {"cart.py": CART}
    after = {"cart.py": CART.replace("sum", "max"), "CHANGELOG.md": "x\n", "tests/test_z.py": "def test_z(): f()\n"}
    assert "unrelated-edit" not in rules_of(before, after, ticket="cart is wrong")


def test_without_any_lead_nothing_is_accused() -> None:
    assert "unrelated-edit" not in rules_of({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}, ticket="zzz")


def test_a_diff_too_large_to_read() -> None:
    big = "".join(f"x{n} = {n}\n" for n in range(500))
    assert "oversized" in rules_of({"a.py": ""}, {"a.py": big})
    assert "oversized" not in rules_of({"tests/test_a.py": ""}, {"tests/test_a.py": big})


@pytest.mark.parametrize(
    "path",
    [".github/workflows/ci.yml", "karkhana.toml", "shop/auth/login.py", "shop/payments.py", "db/migrations/0001_x.py"],
)
def test_protected_places(path: str) -> None:
    found = [f for f in reviewed({path: "a: 1\n"}, {path: "a: 2\n"}) if f.rule == "protected-path"]
    assert [f.path for f in found] == [path]


@pytest.mark.parametrize("path", [".github/workflows/ci.yml", "karkhana.toml", "tox.ini", "CODEOWNERS"])
def test_what_changes_are_judged_by_is_guarded(path: str) -> None:
    assert "guarded-path" in rules_of({path: "a: 1\n"}, {path: "a: 2\n"})


def test_ordinary_places_are_not_protected() -> None:
    assert "guarded-path" not in rules_of({"shop/payments.py": "x = 1\n"}, {"shop/payments.py": "x = 2\n"})
    assert "protected-path" not in rules_of({"shop/author.py": "x = 1\n"}, {"shop/author.py": "x = 2\n"})


def test_the_public_interface() -> None:
    assert "public-api" in rules_of({"cart.py": CART}, {"cart.py": CART.replace("(items)", "(goods)", 1)})


def test_what_cannot_be_read_is_said() -> None:
    assert "unreviewed" in rules_of({"a.py": "x = 1\n"}, {"a.py": "x = \n"})
    assert "unreviewed" in rules_of({"a.png": b"\0\1"}, {"a.png": b"\0\2"})
    assert "unreviewed" in rules_of({}, {"a.py": b"\xff = 1\n"})


def test_a_change_of_nothing_readable_does_not_hurt() -> None:
    assert rules_of({}, {}) == []


@pytest.mark.parametrize(
    ("target", "found"),
    [("/etc/passwd", True), ("../../x", True), ("..", False), ("../..", True), ("../a.py", False), ("b.py", False)],
)
def test_a_link_to_the_outside_is_named(target: str, found: bool) -> None:
    state = FileState(SYMLINK, hashlib.sha256(target.encode()).hexdigest())
    change = Change(
        base="0" * 40, files=(FileChange("sub/link", None, state),), patch="", summary="", engineer="e", title="t"
    )
    findings = review(change, {"sub/link": (None, target.encode())}, Ticket(text="x"), suite_report({"t": "passed"}))
    assert ("outside-link" in [finding.rule for finding in findings]) is found
