"""Whether tests can fail: runs them against wrong versions of the new code until one fails.

Everything goes through the tools, so each trial is in the trail, and is undone. Knows nothing of criteria and models.
"""

import itertools
from collections.abc import Iterator

import msgspec

from karkhana.domain.errors import ToolRefused
from karkhana.domain.tools import ReadFile, ReviewDiff, RunCommand
from karkhana.engineers.llm.acceptance.variants import Variant, hunks, variants
from karkhana.engineers.llm.acceptance.written import is_test_file
from karkhana.ports import Tools

MOST = 6
"""Wrong versions that are tried."""
_FILES = 8
_TIMEOUT_S = 60.0
_SCRIPT = 'cat > "$1" || exit 127; shift; PYTHONPYCACHEPREFIX=$(mktemp -d); export PYTHONPYCACHEPREFIX; exec "$@"'
"""Compiled code of the right version must not be taken for that of a wrong one of the same size and second."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    noticed: str = ""
    """The first wrong version with which a test failed."""
    unnoticed: tuple[str, ...] = ()
    unknown: str = ""
    """Why nothing could be tried."""

    @property
    def blind(self) -> bool:
        """Whether no wrong version made a test fail."""
        return bool(self.unnoticed) and not self.noticed


def prove(tools: Tools, command: tuple[str, ...], tests: tuple[str, ...]) -> Proof:
    """Tests that pass now, against wrong versions of what was changed outside of tests.

    Raises what the tools raise, besides refusals.
    """
    chosen = _chosen(tools)
    if not chosen:
        return Proof(unknown="no text outside of tests was changed")
    argv = (*command, *tests) if any("pytest" in word for word in command) else command
    right = tools.call(ReadFile(path=chosen[0].path)).text
    if _fails(tools, argv, chosen[0].path, right):
        return Proof(unknown="they do not pass on their own")
    unnoticed: list[str] = []
    for variant in chosen:
        if _fails(tools, argv, variant.path, variant.content):
            return Proof(noticed=variant.what, unnoticed=tuple(unnoticed))
        unnoticed.append(variant.what)
    return Proof(unnoticed=tuple(unnoticed))


def _chosen(tools: Tools) -> list[Variant]:
    """Single wrong statements, from all places; whole changes taken back only where there are none.

    A test that merely imports a new name fails without it, whatever else it asks for.
    """
    found = list(_all(tools))
    within = [variant for variant in found if not variant.what.endswith("taken back")] or found
    step = max(1, len(within) // MOST)
    return within[::step][:MOST]


def _all(tools: Tools) -> Iterator[Variant]:
    changed = {path: each for path, each in hunks(tools.call(ReviewDiff()).patch).items() if not is_test_file(path)}
    for path, each in itertools.islice(changed.items(), _FILES):
        try:
            file = tools.call(ReadFile(path=path))
        except ToolRefused:
            continue  # it is gone, or no text
        if not file.truncated:
            yield from variants(path, file.text, each)


def _fails(tools: Tools, argv: tuple[str, ...], path: str, content: str) -> bool:
    done = tools.call(
        RunCommand(
            argv=("sh", "-c", _SCRIPT, "sh", path, *argv),
            stdin=content.encode(),
            timeout_s=_TIMEOUT_S,
            discard=True,
        )
    )
    return done.timed_out or done.exit_code != 0
