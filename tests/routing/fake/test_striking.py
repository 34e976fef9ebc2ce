from calling_examples import question

from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.striking import Striking


def hits(rules: str, count: int, *, seed: int = 0, model: str = "m", key: str = "", step_s: float = 1.0) -> list[int]:
    """Numbers of the requests that meet a fault, one every ``step_s`` seconds."""
    striking = Striking(read_script(rules).fault, seed=seed, start_s=100.0)
    request = question(model=model)
    return [n + 1 for n in range(count) if striking.next(request, key, 100.0 + n * step_s) is not None]


def test_by_position() -> None:
    assert hits('[[fault]]\nkind = "reset"\nat = [2, 5]', 9) == [2, 5]
    assert hits('[[fault]]\nkind = "reset"\nevery = 3', 9) == [3, 6, 9]


def test_by_chance_with_a_seed() -> None:
    rule = '[[fault]]\nkind = "reset"\nprobability = 0.25'
    found = hits(rule, 4000)
    assert 850 < len(found) < 1150
    assert found == hits(rule, 4000)
    assert found != hits(rule, 4000, seed=1)


def test_by_time() -> None:
    rule = '[[fault]]\nkind = "reset"\nfor_s = 2\nevery_s = 5\noffset_s = 1'
    assert hits(rule, 12) == [2, 3, 7, 8, 12]


def test_only_for_whom_the_rule_is() -> None:
    rule = '[[fault]]\nkind = "quota"\nkey = "k2"\nmodel = "large*"\nevery = 1'
    assert hits(rule, 2, key="k2", model="large-1") == [1, 2]
    assert hits(rule, 2, key="k1", model="large-1") == []
    assert hits(rule, 2, key="k2", model="small") == []


def test_one_rule_does_not_disturb_the_count_of_another() -> None:
    alone = '[[fault]]\nkind = "stall"\nprobability = 0.3\n'
    first = '[[fault]]\nkind = "reset"\nevery = 2\n'
    striking = Striking(read_script(first + alone).fault, seed=0, start_s=0.0)
    found = [striking.next(question(), "", 0.0) for _ in range(100)]
    stalls = [n for n, rule in enumerate(found, 1) if rule is not None and rule.kind.value == "stall"]
    # Its draws depend on its place in the script only.
    other = Striking(read_script(first.replace("every = 2", "at = [1000]") + alone).fault, seed=0, start_s=0.0)
    drawn = [n for n in range(1, 101) if other.next(question(), "", 0.0) is not None]
    assert stalls == [n for n in drawn if n % 2]
