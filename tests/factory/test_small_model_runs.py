"""A run with a model that cannot call tools, through the real line and calling, with a fake provider behind them."""

from pathlib import Path

import pytest
from benchmarks.common import small_repository
from model_provider import MODELS, PRICE, WEAK, events_of, provider_at

from karkhana.domain import events as ev
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order

FILES = {
    "area.py": 'def area(width, height):\n    """The area of an oblong."""\n    # in square metres\n    return 0\n',
    "test_area.py": "from area import area\n\n\ndef test_area():\n    assert area(2, 5) == 10 and area(3, 1) == 3\n",
}
SCRIPT = (
    PRICE
    + """
[[answer]]
text = "Sure!\\n```python\\ndef oblong_area(width, height):\\n  return width * height\\n```"
"""
)


@pytest.mark.slow
def test_auto_asks_it_for_a_function_and_looks_for_a_repair_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = small_repository(tmp_path / "repository", FILES)
    with provider_at(tmp_path, monkeypatch, SCRIPT) as provider:
        provider.start(models=MODELS + WEAK)
        order, settings = make_order("area() is always 0", repository)
        result = work_in_foreground(order, settings, lambda _event: None)

    assert result.diff, result.reason
    assert "-    return 0\n+    return width * height\n" in result.diff
    assert "square metres" not in "".join(line for line in result.diff.splitlines() if line[:1] in "+-")
    assert result.decision is not None
    assert result.cost_usd > 0
    found = events_of(result.run_id)
    assert [e.engineer for e in found if isinstance(e, ev.WorkspaceOpened)] == ["llm"]
    assert len([e for e in found if isinstance(e, ev.FunctionsSuspected)]) == 1
    answers = [e for e in found if isinstance(e, ev.ModelAnswered)]
    assert {e.purpose for e in answers} >= {"propose"}
    assert any(isinstance(e, ev.HypothesisTried) and e.kind == "proposed" and e.passing for e in found)
