"""AutoCodeRover's output folders."""

import json

import pytest

from karkhana.domain.tools import Search
from karkhana.engineers.recorded.auto_code_rover import recording
from karkhana.engineers.recorded.recording import Look, Rewrite, Submit, Unreadable

ANSWER = """# modification 1
```python
<file>shop/cart.py</file>
<original>    return a</original>
<patched>    return b
    # Rest of the code...
</patched>
```
# modification 2
```
<file> shop/tax.py </file>
<original>
x = 1
</original>
<patched>
x = 2
</patched>
```
<file>none.py</file><original>a</original><patched>b</patched>
"""
CALLS = [
    {"func_name": "search_class", "arguments": {"class_name": "Cart"}, "call_ok": True},
    {"func_name": "search_method_in_file", "arguments": {"method_name": "total", "file_name": "shop/cart.py"}},
    {"func_name": "search_code", "arguments": {"code_str": "a(b"}},
    {"func_name": "write_patch", "arguments": {}},
]
FILES = {
    "agent_patch_raw_1": b"nothing",
    "agent_patch_raw_2": ANSWER.encode(),
    "extracted_patch_1.diff": b"old",
    "extracted_patch_2.diff": b"diff --git a/x b/x\n",
    "tool_call_sequence.json": json.dumps(CALLS).encode(),
    "meta.json": json.dumps({"task_id": "o__shop-1", "task_info": {"base_commit": "abc"}}).encode(),
}


def test_the_newest_patch_and_the_searches() -> None:
    made = recording("folder", FILES)
    assert made.steps == (
        Look(call=Search(pattern=r"^\s*class\s+Cart\b", glob="*.py")),
        Look(call=Search(pattern=r"^\s*(async\s+)?def\s+total\b", glob="cart.py")),
        Look(call=Search(pattern=r"a\(b", glob="*.py")),
        Rewrite(path="shop/cart.py", old="    return a", new="    return b"),
        Rewrite(path="shop/tax.py", old="x = 1", new="x = 2"),
        Submit(),
    )
    assert (made.task, made.commit, made.submitted) == ("o__shop-1", "abc", "diff --git a/x b/x\n")


def test_nothing_was_handed_over() -> None:
    made = recording("folder", {"agent_patch_raw_1": ANSWER.encode()})
    assert made.submitted == ""
    assert Submit() not in made.steps


@pytest.mark.parametrize("files", [{"meta.json": b"{"}, {"agent_patch_raw_1": b"\xff"}])
def test_a_broken_folder(files: dict[str, bytes]) -> None:
    with pytest.raises(Unreadable):
        recording("folder", files)
