"""A run with a model that cannot call tools, through the real line and calling, with a fake provider behind them."""

import asyncio
import subprocess
import threading
from pathlib import Path

import pytest

from karkhana.domain import events as ev
from karkhana.factory.foreground import work_in_foreground
from karkhana.factory.ordering import make_order
from karkhana.factory.stores import open_stores
from karkhana.routing.fake.script import read_script
from karkhana.routing.fake.serving import fake_provider

pytestmark = pytest.mark.xdist_group("engine")

FILES = {
    "area.py": 'def area(width, height):\n    """The area of an oblong."""\n    # in square metres\n    return 0\n',
    "test_area.py": "from area import area\n\n\ndef test_area():\n    assert area(2, 5) == 10 and area(3, 1) == 3\n",
}
SCRIPT = """
[price.any]
input = "1"
output = "2"
[[answer]]
text = "Sure!\\n```python\\ndef oblong_area(width, height):\\n  return width * height\\n```"
"""
MODELS = """
[provider.fake]
wire = "openai"
base_url = "{address}/v1"
[model.fake]
candidates = ["fake/any"]
[capability."fake/any"]
context = 8192
tools = false
[price."fake/any"]
input = "1"
output = "2"
"""


@pytest.mark.slow
def test_it_is_asked_for_a_function_which_goes_through_the_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARKHANA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARKHANA_MODELS_FILE", str(tmp_path / "gateway.toml"))
    repository = tmp_path / "repository"
    repository.mkdir()
    for name, text in FILES.items():
        (repository / name).write_text(text)
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", str(repository)]
    for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*words, *step], check=True, capture_output=True)

    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake_provider(read_script(SCRIPT)) as (address, _):
            (tmp_path / "gateway.toml").write_text(MODELS.format(address=address))
            ready.set()
            await asyncio.to_thread(over.wait)

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    try:
        assert ready.wait(10)
        order, settings = make_order("area() is always 0", repository, engineer="llm")
        result = work_in_foreground(order, settings, lambda _event: None)
    finally:
        over.set()
        server.join()

    assert result.diff, result.reason
    assert "-    return 0\n+    return width * height\n" in result.diff
    assert "square metres" not in "".join(line for line in result.diff.splitlines() if line[:1] in "+-")
    assert result.decision is not None
    assert result.cost_usd > 0
    with open_stores() as stores:
        assert stores.events.verify(result.run_id) == []
        found = [entry.event for entry in stores.events.entries(result.run_id)]
    answers = [e for e in found if isinstance(e, ev.ModelAnswered)]
    assert {e.purpose for e in answers} >= {"propose"}
    assert any(isinstance(e, ev.HypothesisTried) and e.kind == "proposed" and e.passing for e in found)
