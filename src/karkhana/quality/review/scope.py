"""Review: does the change stay with what it was asked to do?

Files that nothing connects with the ticket or the failing tests, diffs too large to read, protected places,
a changed public interface, files that could not be read. Knows nothing of what the edits do.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from karkhana.domain.changes import SYMLINK
from karkhana.domain.evidence import Finding
from karkhana.quality import interfaces, paths
from karkhana.quality.review.subject import File, Subject, rules
from karkhana.syntax import Unparsable


def scope(subject: Subject) -> Iterator[Finding]:
    """Findings about connection, size, protected and guarded paths, the public interface, and what was not read."""
    yield from _unrelated(subject)
    yield from _oversized(subject)
    yield from _links(subject)
    for file in subject.files:
        reason = paths.protected_because(file.path)
        if reason is not None:
            yield file.finding("protected-path", f"{file.path} is touched: {reason}")
        if paths.is_guarded(file.path):
            yield file.finding("guarded-path", "a change of this file waits for a person, however good it looks")
        if not file.is_text:
            yield file.finding("unreviewed", f"{file.path} is binary, so nobody read the difference")
        elif file.unreadable:
            yield file.finding("unreviewed", f"{file.path} cannot be parsed, so the review did not read it")
        elif paths.is_public_module(file.path) and file.before is not None:
            yield from _interface(file)


def _interface(file: File) -> Iterator[Finding]:
    try:
        found = interfaces.breaks(file.before or b"", file.after)
    except Unparsable:
        return  # the old file is unreadable; the gate public_api says UNKNOWN
    for broken in found:
        yield file.finding("public-api", f"changes the public interface: {broken.message}", broken.line)


def _oversized(subject: Subject) -> Iterator[Finding]:
    limit = rules()["size"]
    counted = [f for f in subject.files if not f.is_test and paths.is_executable_kind(f.path)]
    lines = sum(len(f.diff.added) + len(f.diff.removed) for f in counted)
    if lines > limit["lines"] or len(counted) > limit["files"]:
        yield Finding(
            rule="oversized", message=f"{lines} lines in {len(counted)} files are more than one can read with attention"
        )


def _links(subject: Subject) -> Iterator[Finding]:
    targets = {file.path: file.after for file in subject.files}
    for change in subject.change.files:
        if change.after is None or change.after.mode != SYMLINK:
            continue
        target = (targets[change.path] or b"").decode("utf-8", "replace")
        reached = posixpath.normpath(posixpath.join("/repository", posixpath.dirname(change.path), target))
        if reached != "/repository" and not reached.startswith("/repository/"):
            yield Finding(rule="outside-link", message=f"is a link to {target[:200]!r}, outside", path=change.path)


def _unrelated(subject: Subject) -> Iterator[Finding]:
    code = [f for f in subject.files if not f.is_test and paths.is_executable_kind(f.path)]
    connected = [f for f in code if _named(f, subject)]
    rest = [f for f in code if f not in connected]
    grew = bool(connected)
    while grew:
        near = [f for f in rest if any(_mentions(f, other) or _mentions(other, f) for other in connected)]
        connected += near
        rest = [f for f in rest if f not in near]
        grew = bool(near)
    if connected:
        for file in (f for f in rest if paths.protected_because(f.path) is None):
            yield file.finding(
                "unrelated-edit", "nothing connects this file with the ticket, the failing tests or the other edits"
            )


def _named(file: File, subject: Subject) -> bool:
    """Whether the ticket, a failure or a test that comes along names the file or something that changed in it."""
    stem = _stem(file.path)
    if file.path in subject.ticket.text or stem in subject.words or file.path in subject.failures:
        return True
    if any(name.split(".")[-1] in subject.words for name in _changed_functions(file)):
        return True
    tests = [f.text_after for f in subject.files if f.is_test]
    return any(_has_word(text, stem) for text in (subject.failures, *tests))


def _changed_functions(file: File) -> list[str]:
    source = file.source_after
    if source is None:
        return []
    return [name for name, node in source.functions.items() if file.touches(source.lines(node))]


def _mentions(file: File, other: File) -> bool:
    return _has_word(file.text_after or file.text_before, _stem(other.path))


def _stem(path: str) -> str:
    """The name a module is imported by: that of its folder for ``__init__.py``."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem == "__init__" else pure.stem


def _has_word(text: str, word: str) -> bool:
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
