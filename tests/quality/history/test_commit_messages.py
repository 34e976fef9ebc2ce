"""Messages as people write them."""

import pytest

from karkhana.quality.history.messages import is_revert, reverted_by, says_fix


@pytest.mark.parametrize(
    "message",
    [
        "Fix crash when the cart is empty",
        "fixed #123 -- total of an empty cart",
        "Bugfix: wrong total",
        "cart: handle None (closes a race condition)",
        "Total was incorrect for negative prices",
        "Rework the cart\n\nThis fixes a regression of 2.0.",
        "Rework the cart\n\nlong words\n\nResolves: #12",
        "Fix overflow in Total.add",
    ],
)
def test_repairs_are_recognised(message):
    assert says_fix(message)


@pytest.mark.parametrize(
    "message",
    [
        "Add a total",
        "Fix typo in README",
        "Fix flake8 warnings",
        "docs: fix broken link",
        "Fix CI on Windows",
        "fix failing tests",
        "Bump version to 2.0.1 (bugfix release)",
        "Prefix all names",
        "Merge branch 'fix/cart'",
        'Revert "Fix crash"\n\nThis reverts commit 0123456789abcdef0123456789abcdef01234567.',
        "",
    ],
)
def test_other_commits_are_no_repairs(message):
    assert not says_fix(message)


def test_a_revert_names_what_it_takes_back():
    full = "0123456789abcdef0123456789abcdef01234567"
    assert reverted_by(f'Revert "Faster cart"\n\nThis reverts commit {full}.') == (full, "Faster cart")
    assert reverted_by(f"Back to the old cart\n\nThis reverts commit {full}, since it lost orders.") == (full, None)
    assert reverted_by('Revert "Faster cart" (#12)') == (None, "Faster cart")
    assert reverted_by("Add a way to revert a cart") == (None, None)
    assert not is_revert("Revert to the default when nothing is said")
