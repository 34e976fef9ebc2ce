"""The weights: what ships is sound, and what is not is refused."""

from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidSetting
from karkhana.engineers.registry import default_engineers
from karkhana.factory.second_opinion import all_gates
from karkhana.quality.weights import load_weights

SHIPPED = Path(__file__).parents[2] / "src/karkhana/quality/weights.toml"


def test_what_ships_is_sound() -> None:
    weights = load_weights()
    assert sum(c.weight for c in weights.components.values()) == pytest.approx(1)
    assert set(weights.gates) <= {gate.name for gate in all_gates(default_engineers())}
    assert {g.component for g in weights.gates.values()} <= set(weights.components)
    assert {r.component for r in weights.review.values()} <= set(weights.components)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight = 0.40", "weight = 0.45", "sum to 1"),
        ("failed = 0.1", "failed = 0.9", "passed >= unknown >= failed"),
        ("[components.performance]", "[components.speed]", "components must be"),
        ("factor = 0.85", "factor = 1.85", "in \\[0,1\\]"),
        ("version =", "verison =", "verison"),
        ("[review.other]", "[review.others]", "review.other"),
        ("weight = 0.20", "weight = ", "weights.toml"),
    ],
)
def test_what_is_not_sound_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SHIPPED.read_text("utf-8")
    assert old in text
    changed = tmp_path / "weights.toml"
    changed.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(InvalidSetting, match=said) as failure:
        load_weights(changed)
    assert failure.value.next


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting):
        load_weights(tmp_path / "none.toml")
