import re

import pytest

from karkhana.domain.tasks import Budget
from karkhana.domain.tools import Match
from karkhana.engineers.llm.repository_map import DEFINITION, drawn, ranked, repository_map
from karkhana.factory.trails import MemoryTrail
from karkhana.workspace.memory import TemporaryWorkspace
from karkhana.workspace.toolbox import Toolbox


@pytest.mark.parametrize(
    "line",
    [
        "def total(prices):",
        "    async def fetch(self):",
        "class Cart(Base):",
        "export default async function handler(req) {",
        "func (c *Cart) Total() int {",
        "pub(crate) fn total(&self) -> u32 {",
        "public static final class Cart {",
        "  interface Shape {",
    ],
)
def test_definitions_of_many_languages_are_found(line: str) -> None:
    assert re.search(DEFINITION, line)


@pytest.mark.parametrize("line", ["return total", "definition = 3", "# class of things", "x = function", "classes()"])
def test_other_lines_are_none(line: str) -> None:
    assert not re.search(DEFINITION, line)


def files(**texts: str) -> dict[str, list[Match]]:
    return {
        path.replace("__", "/") + ".py": [Match(path, n, line) for n, line in enumerate(text.split("\n"), 1)]
        for path, text in texts.items()
    }


def test_what_the_ticket_speaks_of_comes_first() -> None:
    found = files(
        user="class User:\ndef login(self):",
        cart="class Cart:\ndef total(self):\ndef apply_discount(self, code):",
        tests__test_cart="def test_discount():\ndef test_total_with_discount():",
    )
    assert ranked(found, "The discount code is not applied to the total")[0] == "cart.py"
    assert ranked(found, "login fails")[0] == "user.py"


def test_a_path_that_is_named_comes_first() -> None:
    found = files(a="def total():", b="def total():\ndef total_discount():", c="def x():")
    assert ranked(found, 'File "c.py", line 3: total is wrong, discount')[0] == "c.py"


def test_the_map_keeps_to_its_tokens_and_names_the_best() -> None:
    many = [Match(f"m{n}.py", line, f"def thing_{n}_{line}(a, b):") for n in range(200) for line in range(60)]
    many.append(Match("cart.py", 7, "def discount(a, b):"))
    text = drawn(many, "discount", tokens=300)
    assert text.startswith("cart.py\n  7: def discount(a, b):")
    assert len(text) < 300 * 3.4


def test_one_call_draws_it() -> None:
    trail = MemoryTrail()
    with TemporaryWorkspace(
        {"a/cart.py": "class Cart:\n    def total(self):\n        pass\n", "b.txt": "x"}
    ) as workspace:
        text = repository_map(Toolbox(workspace, trail, budget=Budget()), "total", tokens=500)
    assert text == "a/cart.py\n  1: class Cart:\n  2: def total(self):"
