"""Review: code written for the test."""

import pytest
from quality_reviews import failing, rules_of

BASE = "def price(code, amount):\n    rate = RATES[code]\n    return amount * rate\n"
TRACEBACK = """\
    def test_price():
>       assert price("ZX-81", 37) == 4921
E       AssertionError: assert 37 == 4921
E        +  where 37 = price('ZX-81', 37)
"""


def after(new: str, ticket: str = "the price is wrong") -> list[str]:
    return rules_of({"shop.py": BASE}, {"shop.py": new}, ticket=ticket, baseline=failing(traceback=TRACEBACK))


@pytest.mark.parametrize(
    "new",
    [
        BASE.replace("    rate", '    if code == "ZX-81":\n        return 4921\n    rate', 1),
        BASE.replace("    rate", '    if code in ("ZX-81",):\n        amount = 133\n    rate', 1),
        BASE.replace("    rate", "    if amount == 37:\n        amount += 1\n    rate", 1),
        BASE.replace("return amount * rate", "return 4921 if rate else amount * rate"),
        BASE.replace("return amount * rate", 'return {"ZX-81": 133}.get(code, amount) * rate'),
        "def price(code, amount):\n    match code:\n        case 'ZX-81':\n            return 1\n    return amount\n",
        "def price(code, amount):\n    return 4921\n",
        "def price(code, amount):\n    return amount\n",
        "def price(code, amount):\n    if code:\n        return amount\n    return None\n",
    ],
)
def test_fitted_to_the_failing_test(new: str) -> None:
    assert "overfit" in after(new)


@pytest.mark.parametrize(
    "new",
    [
        BASE.replace("amount * rate", "amount + rate"),
        BASE.replace("    rate", "    if not code:\n        return 0\n    rate", 1),
        BASE.replace("    rate", "    if amount < 37:\n        raise ValueError(amount)\n    rate", 1),
        BASE.replace("    rate", '    if code == "other":\n        return None\n    rate', 1),
        BASE.replace("return amount * rate", "amount *= rate\n    return amount"),
    ],
)
def test_ordinary_repairs(new: str) -> None:
    assert "overfit" not in after(new)


def test_a_value_that_the_ticket_names_is_asked_for() -> None:
    new = BASE.replace("    rate", '    if code == "ZX-81":\n        raise Gone\n    rate', 1)
    assert "overfit" in after(new)
    assert "overfit" not in after(new, ticket="ZX-81 is not sold any more: raise Gone")


def test_a_value_that_was_there_before_is_no_hint() -> None:
    old = 'KNOWN = "ZX-81"\n' + BASE
    new = old.replace("    rate", '    if code == "ZX-81":\n        raise Gone\n    rate', 1)
    found = rules_of({"shop.py": old}, {"shop.py": new}, baseline=failing(traceback=TRACEBACK))
    assert "overfit" not in found


@pytest.mark.parametrize(
    "line",
    [
        "    if True:",
        "    while False:",
        "    if code or True:",
        "    if not_used and False:",
        "    if 1:",
        "    if not None:",
    ],
)
def test_conditions_that_decide_nothing(line: str) -> None:
    assert "constant-condition" in after(BASE.replace("    rate =", f"{line}\n        pass\n    rate =", 1))


@pytest.mark.parametrize("line", ["    while True:", "    while 1:", "    if code or 'default':", "    if DEBUG:"])
def test_conditions_that_do(line: str) -> None:
    assert "constant-condition" not in after(BASE.replace("    rate =", f"{line}\n        break\n    rate =", 1))


def test_comparing_a_thing_with_itself() -> None:
    assert "tautology" in after(BASE.replace("    rate =", "    if amount == amount:\n        pass\n    rate =", 1))
    assert "tautology" not in after(BASE.replace("    rate =", "    if amount != amount:\n        pass\n    rate =", 1))
    assert "tautology" not in after(BASE.replace("    rate =", "    if amount == code:\n        pass\n    rate =", 1))


@pytest.mark.parametrize(
    ("handler", "hides"),
    [
        ("except Exception:\n        pass", True),
        ("except:\n        return None", True),
        ("except BaseException:\n        return 0", True),
        ("except KeyError:\n        return 0", False),
        ("except Exception:\n        log()\n        raise", False),
    ],
)
def test_swallowed_errors(handler: str, hides: bool) -> None:
    new = f"def price(code, amount):\n    try:\n        rate = RATES[code]\n    {handler}\n    return amount * rate\n"
    assert ("swallowed-error" in after(new)) is hides


def test_old_sins_are_not_blamed_on_the_change() -> None:
    old = (
        "def f(x):\n    if x == x:\n        return 1\n    try:\n        g()\n    except Exception:\n        pass\n\n\n"
    )
    assert rules_of({"a.py": old + BASE}, {"a.py": old + BASE.replace("*", "+")}, ticket="price") == []
