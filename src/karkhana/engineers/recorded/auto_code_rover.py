"""Reads the output folders of AutoCodeRover, https://github.com/nus-apr/auto-code-rover.

Its searches are in ``tool_call_sequence.json``, its edits in the newest ``agent_patch_raw_N`` (a file, the lines as
they are, the lines as they shall be), what it handed over in ``extracted_patch_N.diff``.

>>> recording("empty", {}).submitted
''
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from karkhana.domain.tools import ListFiles, Search
from karkhana.engineers.recorded.recording import Look, Recording, Rewrite, Step, Submit, Unreadable

FORMAT = "auto-code-rover"
_EDIT = re.compile(
    r"<file>(?P<file>.*?)</file>.*?<original>(?P<old>.*?)</original>.*?<patched>(?P<new>.*?)</patched>", re.DOTALL
)
_FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LEFT_OUT = re.compile(r"^[ \t]*# Rest of the code\.\.\.[ \t]*\n", re.MULTILINE)
"""A line that models write for what they do not repeat, and that the recorder throws away."""


def recording(name: str, files: Mapping[str, bytes]) -> Recording:
    """The recording in a folder; ``files``: name in the folder → content. Raises :class:`Unreadable`."""
    number = max((int(file.rpartition("_")[2]) for file in files if file.startswith("agent_patch_raw_")), default=0)
    submitted = _text(files, f"extracted_patch_{number}.diff")
    meta = _json(files, "meta.json", {})
    steps: list[Step] = [Look(call=call) for call in _searches(_json(files, "tool_call_sequence.json", []))]
    steps += _edits(_text(files, f"agent_patch_raw_{number}"))
    return Recording(
        name=name,
        format=FORMAT,
        steps=(*steps, Submit()) if submitted.strip() else tuple(steps),
        submitted=submitted,
        task=str(meta.get("task_id", "")),
        commit=str(meta.get("task_info", {}).get("base_commit", "")),
    )


def _edits(answer: str) -> Iterator[Rewrite]:
    for block in _FENCED.findall(answer):
        for found in _EDIT.finditer(_LEFT_OUT.sub("", block)):
            yield Rewrite(path=found["file"].strip(), old=found["old"].strip("\n"), new=found["new"].strip("\n"))


def _searches(calls: list[dict[str, Any]]) -> Iterator[Search | ListFiles]:
    for call in calls:
        given = call.get("arguments", {})
        file = str(given.get("file_name", "")).rpartition("/")[2]
        glob = file if file.endswith(".py") else "*.py"
        match str(call.get("func_name", "")).split("_"):
            case ["search", "class", *_]:
                yield Search(pattern=rf"^\s*class\s+{re.escape(given.get('class_name', ''))}\b", glob=glob)
            case ["search", "method", *_]:
                yield Search(pattern=rf"^\s*(async\s+)?def\s+{re.escape(given.get('method_name', ''))}\b", glob=glob)
            case ["search", "code", *_]:
                yield Search(pattern=re.escape(given.get("code_str", "").split("\n")[0]), glob=glob)


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files.get(name, b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name} is not UTF-8: {error}") from None


def _json(files: Mapping[str, bytes], name: str, default: Any) -> Any:
    if name not in files:
        return default
    try:
        return json.loads(files[name])
    except ValueError as error:
        raise Unreadable(f"{name} is no JSON: {error}") from None
