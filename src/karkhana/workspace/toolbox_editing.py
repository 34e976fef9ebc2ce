"""The tools that read and change single files: ``read_file``, ``edit_file``, ``write_file``.

Text is UTF-8; anything else is refused with what it is. Knows nothing of budgets or the trail.
"""

import difflib

from karkhana.domain.errors import ToolRefused
from karkhana.domain.tools import EditFile, EditResult, FileText, ReadFile, WriteFile
from karkhana.workspace.nearest import describe_miss, line_numbers, moved_edit
from karkhana.workspace.toolbox_context import ToolContext, checked_path

READ_MAX = 200_000
"""Characters that one ``read_file`` returns."""
WRITE_MAX = 2 << 20
"""Bytes of a file that may be written."""
DIFF_MAX = 100_000
"""Characters of an edit's diff that are returned."""
_DIFF_EFFORT = 4_000_000  # product of line counts that difflib may compare
_CONTEXT = 3


def read_file(context: ToolContext, call: ReadFile) -> FileText:
    """Lines ``start`` to ``end`` of a text file."""
    path = checked_path(call.path)
    text = _text(path, _existing(context, path))
    lines = text.split("\n")
    total = len(lines) - (lines[-1] == "")
    end = total if call.end is None else min(call.end, total)
    if call.start < 1 or (call.end is not None and call.end < call.start):
        raise ToolRefused(
            f"lines {call.start} to {call.end} are no range", "lines count from 1, and end is not before start"
        )
    if call.start > max(total, 1):
        raise ToolRefused(f"{path} has {total} lines, so there is no line {call.start}", f"ask for lines 1 to {total}")
    window = "\n".join(lines[call.start - 1 : end])
    if end < len(lines):
        window += "\n" if window or end >= call.start else ""
    return FileText(window[:READ_MAX], total, len(window) > READ_MAX)


def edit_file(context: ToolContext, call: EditFile) -> EditResult:
    """Replace the one occurrence of ``old`` by ``new``."""
    path = checked_path(call.path)
    if not call.old:
        raise ToolRefused("the text to replace is empty", "use write_file to create a file")
    if call.old == call.new:
        raise ToolRefused("old and new are the same", "nothing would change")
    before = _existing(context, path)
    text = _text(path, before)
    old, new = call.old, call.new
    if old not in text and "\r\n" in text and "\r" not in old:
        # the file ends its lines with CRLF and the caller does not: keep the file's way
        old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
    count = text.count(old)
    if count == 0 and (moved := moved_edit(text, old, new)):
        old, new = moved
        count = text.count(old)
    if count == 0:
        raise ToolRefused(f"old does not occur in {path}", describe_miss(text, call.old))
    if count > 1 or text.find(old) != text.rfind(old):
        where = ", ".join(map(str, line_numbers(text, old)))
        raise ToolRefused(
            f"old occurs more than once in {path}, at lines {where}", "add lines around it until it is unique"
        )
    return _store(context, path, before, text.replace(old, new))


def write_file(context: ToolContext, call: WriteFile) -> EditResult:
    """Create a file, or replace the whole of one."""
    path = checked_path(call.path)
    return _store(context, path, context.workspace.read(path), call.content)


def _existing(context: ToolContext, path: str) -> bytes:
    content = context.workspace.read(path)
    if content is None:
        raise ToolRefused(f"{path} does not exist", "list_files shows what there is; write_file creates a file")
    return content


def _text(path: str, content: bytes) -> str:
    if b"\0" in content:
        raise ToolRefused(f"{path} is a binary file of {len(content)} bytes", "use run_command to look at it")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ToolRefused(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}",
            "use run_command with a program that knows its encoding",
        ) from error


def _store(context: ToolContext, path: str, before: bytes | None, text: str) -> EditResult:
    try:
        after = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ToolRefused(
            f"the text for {path} cannot be encoded as UTF-8: {error.reason}", "leave out lone surrogates"
        ) from error
    if len(after) > WRITE_MAX:
        raise ToolRefused(f"{path} would have {len(after)} bytes", f"files of at most {WRITE_MAX} bytes can be written")
    context.gate.check(path, before, after)
    context.workspace.write(path, after)
    return EditResult(path, unified_diff(path, before, after))


def unified_diff(path: str, before: bytes | None, after: bytes) -> str:
    """The difference as text for a reader. Equal lines at both ends are set aside first, so large files are cheap."""
    old = (before or b"").decode("utf-8", "replace").splitlines(keepends=True)
    new = after.decode("utf-8", "replace").splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if head == len(old) == len(new):
        return ""
    low = max(head - _CONTEXT, 0)
    old_end, new_end = len(old) - max(tail - _CONTEXT, 0), len(new) - max(tail - _CONTEXT, 0)
    if (old_end - low) * (new_end - low) > _DIFF_EFFORT:
        told = f"(lines {head + 1} to {len(old) - tail} replaced by {len(new) - tail - head} lines)"
        return f"--- a/{path}\n+++ b/{path}\n{told}\n"
    lines = difflib.unified_diff(
        ["\n"] * low + old[low:old_end], ["\n"] * low + new[low:new_end], f"a/{path}", f"b/{path}", n=_CONTEXT
    )
    text = "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return text if len(text) <= DIFF_MAX else text[:DIFF_MAX] + "…\n"
