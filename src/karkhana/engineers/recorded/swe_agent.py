"""Reads SWE-agent's trajectories (``.traj``), https://github.com/SWE-agent/SWE-agent, of all its edit commands.

By line numbers (``edit 3:5``), at cursors (``set_cursors 3 5``), by search and replace (``edit 'old' 'new'``),
``insert``, ``create`` and ``str_replace_editor``. Whether an edit took effect, and in which file, the recorded
answers say. Anything else that was typed is a command for bash.

>>> recording("demo", b'{"trajectory": [], "info": {"submission": null}}').steps
()
"""

import json
import posixpath
import re
import shlex
from typing import Any

from karkhana.domain.tools import ListFiles, ReadFile, Search
from karkhana.engineers.recorded.recording import (
    Change,
    Insert,
    Look,
    Put,
    Recording,
    Shell,
    Splice,
    Step,
    Submit,
    Swap,
    Unreadable,
)

FORMAT = "swe-agent"
_OPEN = re.compile(r"^\[File: (\S+) \((\d+) lines total", re.MULTILINE)
_LINES = re.compile(r"edit (\d+):(\d+)[^\n]*\n(.*?)^end_of_edit\s*", re.DOTALL | re.MULTILINE)
_CURSORS = re.compile(r"edit *\n(.*?)^end_of_edit\s*", re.DOTALL | re.MULTILINE)
_TASK = re.compile(r"[\w.-]+__[\w.-]+-\d+")
_DONE = ("file updated", "text replaced", "has been edited", "text inserted", "file created successfully")
_SCREEN = frozenset({"goto", "scroll_up", "scroll_down", "close", "exit_cost", "exit_context", "exit_format", "skip"})
"""Moves the recorder's window or ends its run: nothing of ours."""


def recording(name: str, content: bytes, *, commit: str = "") -> Recording:
    """The recording in one file; ``name`` is that of the file. Raises :class:`Unreadable`."""
    try:
        data = json.loads(content)
        turns, submitted = data["trajectory"], data["info"].get("submission") or ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{name} is no trajectory: {error!r}") from None
    reader = _Reader(turns)
    steps = tuple(step for turn in turns for step in reader.steps(turn))
    if submitted and not any(isinstance(step, Submit) for step in steps):
        # Its budget was used up, and the recorder handed over what there was.
        steps += (Submit(),)
    task = _TASK.search(name.rpartition("/")[2])
    return Recording(
        name=name,
        format=FORMAT,
        steps=steps,
        submitted=submitted if "diff --git " in submitted else "",
        task=task[0] if task else "",
        commit=commit,
        shown=reader.shown,
    )


class _Reader:
    """Follows the recorder's own state: folder, open file, cursors."""

    def __init__(self, turns: list[dict[str, Any]]) -> None:
        self.root = self.folder = _first_folder(turns)
        self.file = ""
        self.cursors = (1, 1)
        self.shown: dict[str, str] = {}
        self._changed = False

    def steps(self, turn: dict[str, Any]) -> list[Step]:
        action, answer = turn.get("action") or "", (turn.get("observation") or "").replace("\r\n", "\n")
        word = action.split(maxsplit=1)[0] if action.strip() else ""
        opened = _OPEN.search(answer)
        if opened:
            self.file = posixpath.normpath(posixpath.join(self.folder, opened[1]))
        try:
            found = self._steps(word, action.strip("\n"), answer)
        except ValueError:
            # Quotes that do not pair: the recorder's shell refused it as well.
            found = []
        if opened and word == "open" and not self._changed:
            self._show(answer, int(opened[2]))
        self._changed |= any(isinstance(step, Change) for step in found)
        return found

    def _steps(self, word: str, action: str, answer: str) -> list[Step]:
        done = any(sign in answer.lower() for sign in _DONE)
        match word:
            case "edit" | "insert":
                return [self._edit(word, action)] if done and self._inside() else []
            case "create":
                return [Put(path=self._path(), content="\n")] if _created(answer) and self._inside() else []
            case "str_replace_editor":
                return self._editor(shlex.split(action)[1:]) if done else []
            case "submit":
                return [Submit()]
            case "set_cursors":
                first, last = action.split()[1:3]
                self.cursors = (int(first), int(last))
                return []
            case "cd":
                if not answer.strip():
                    self.folder = posixpath.normpath(posixpath.join(self.folder, action[3:].strip()))
                return []
            case "open" | "find_file" | "search_dir" | "search_file":
                return self._look(word, shlex.split(action)[1:])
        if not word or word in _SCREEN:
            return []
        here = posixpath.relpath(self.folder, self.root)
        plain = action.replace(f"{self.root}/", _up(here))
        return [Shell(command=plain, folder="" if here == "." else here)]

    # -- edits

    def _edit(self, word: str, action: str) -> Step:
        path = self._path()
        if lines := _LINES.fullmatch(action):
            return Splice(path=path, first=int(lines[1]), last=int(lines[2]), text=lines[3])
        if text := _CURSORS.fullmatch(action):
            return Splice(path=path, first=self.cursors[0], last=self.cursors[1], text=text[1])
        words = shlex.split(action)[1:]
        if word == "insert":
            return Insert(path=path, text=words[0], after=int(words[1]) if len(words) > 1 else None)
        if len(words) < 2:
            raise ValueError(action)
        return Swap(path=path, old=words[0], new=words[1], everywhere=len(words) > 2 and words[2].lower() == "true")

    def _editor(self, words: list[str]) -> list[Step]:
        """``str_replace_editor COMMAND PATH --old_str … --new_str …``."""
        command, path, *rest = words
        given = dict(zip(rest[::2], rest[1::2], strict=False))
        self.file = posixpath.join(self.folder, path)
        if not self._inside():
            return []
        match command:
            case "create":
                return [Put(path=self._path(), content=given.get("--file_text", ""))]
            case "str_replace":
                return [Swap(path=self._path(), old=given["--old_str"], new=given.get("--new_str", ""))]
            case "insert":
                return [Insert(path=self._path(), after=int(given["--insert_line"]), text=given["--new_str"])]
        return []

    # -- looks

    def _look(self, word: str, words: list[str]) -> list[Step]:
        if word == "open":
            first = int(words[1]) if len(words) > 1 and words[1].isdigit() else 1
            return [Look(call=ReadFile(path=self._path(), start=first))] if self._inside() and words else []
        if not words:
            return []
        if word == "find_file":
            return [Look(call=ListFiles(glob=words[0]))]
        glob = self._path() if word == "search_file" and self._inside() else "**"
        return [Look(call=Search(pattern=re.escape(words[0]), glob=glob))]

    def _inside(self) -> bool:
        return self.file.startswith(f"{self.root}/")

    def _path(self) -> str:
        return posixpath.relpath(self.file, self.root)

    def _show(self, answer: str, total: int) -> None:
        """Remember a file that is shown from its first to its last line."""
        lines = re.findall(r"^(\d+):(.*)$", answer, flags=re.MULTILINE)
        if self._inside() and [int(number) for number, _ in lines] == list(range(1, total + 1)):
            self.shown.setdefault(self._path(), "".join(f"{text}\n" for _, text in lines))


def _first_folder(turns: list[dict[str, Any]]) -> str:
    for turn in turns:
        state = turn.get("state") or {}
        state = json.loads(state) if isinstance(state, str) else state
        folder = str(state.get("working_dir") or "")
        if folder.startswith("/") and folder != "/":
            return "/" + folder.split("/")[1]
    return "/testbed"


def _created(answer: str) -> bool:
    return bool(_OPEN.search(answer)) and not re.search(r"^(error|file .* exists)", answer, re.IGNORECASE)


def _up(folder: str) -> str:
    return "" if folder == "." else "../" * (folder.count("/") + 1)
