import pytest

from karkhana.engineers.symbolic.reproduction.expectations import expectations

HEAD = "import pytest\nfrom area import area\nimport names\n\n\n"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("def test_a():\n    assert area(2, 3) == 6\n", [("area(2, 3)", "6")]),
        ("def test_a():\n    assert 6 == area(2, 3)\n", [("area(2, 3)", "6")]),
        ("def test_a():\n    assert names.short('x', end='.') is None\n", [("names.short('x', end='.')", "None")]),
        ("class T:\n    def test_a(self):\n        self.assertEqual(area(2, 3), 6)\n", [("area(2, 3)", "6")]),
        (
            "@pytest.mark.parametrize('a, e', [(1, 2), (2, 4)])\ndef test_a(a, e):\n    assert area(a, 2) == e\n",
            [("area(1, 2)", "2"), ("area(2, 2)", "4")],
        ),
        ("def test_a(fixture):\n    assert area(2, 3) == 6\n", []),
        ("def test_a():\n    x = 2\n    assert area(x, 3) == 6\n", []),
        ("def test_a():\n    cart = make()\n    assert cart.total() == 6\n", []),
        ("def test_a():\n    assert area(2, 3) == pytest.approx(6)\n", []),
        ("def test_a(:\n", []),
    ],
)
def test_only_calls_with_constants_are_read(body: str, found: list[tuple[str, str]]) -> None:
    assert [(e.call, e.expected) for e in expectations(HEAD + body, "test_a.py")] == found
