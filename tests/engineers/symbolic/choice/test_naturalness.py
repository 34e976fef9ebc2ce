"""The token model of a code base."""

from karkhana.engineers.symbolic.choice.naturalness import TokenModel, tokens

CODE = '''\
def total(items):
    """Sum of prices."""
    result = 0
    for item in items:
        result += item.price
    return result


def weight(items):
    result = 0
    for item in items:
        result += item.weight
    return result
'''


def test_tokens() -> None:
    assert tokens("a.b += 1.5  # why") == ["a", ".", "b", "+=", "1.5"]
    assert tokens("f('x', \"it's\")\n") == ["f", "(", "''", ",", "''", ")", "\n"]
    assert tokens("x = '#'  # a 'quoted' remark")[:3] == ["x", "=", "''"]
    assert tokens("") == []


def test_the_house_style_is_less_surprising() -> None:
    model = TokenModel([CODE])
    assert model.bits("        result += item.price\n") < model.bits("        result -= item.price\n")
    assert model.bits("    return result\n") < model.bits("    return items\n") < model.bits("    return lambda: 1\n")


def test_the_line_before_counts() -> None:
    model = TokenModel([CODE])
    usual = model.bits("for item in items:", before="result = 0\n")
    assert usual < model.bits("for item in items:", before="return result")


def test_a_line_is_no_witness_for_itself() -> None:
    model = TokenModel([CODE])
    line = "        result += item.price\n"
    assert model.bits(line, without=line) > model.bits(line)
    assert model.seen(line) == 1.0
    assert model.seen(line, without=line) < 1.0


def test_nothing_is_known_at_first() -> None:
    model = TokenModel([])
    assert model.bits("a = b") == 0.0
    assert model.bits("") == 0.0
    assert model.seen("a") == 1.0
    assert model.seen("a = b") == 0.0
