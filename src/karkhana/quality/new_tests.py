"""The code before a change with the tests that the change brings along: what they say of it, nobody else can tell.

Knows which files are tests; knows nothing of what is asked of them.
"""

import contextlib
from collections.abc import Iterator

from karkhana.ports import GateContext
from karkhana.quality import paths


@contextlib.contextmanager
def tests_on_old_code(context: GateContext) -> Iterator[tuple[str, ...]]:
    """Write the change's tests into the workspace before it, and put back all that differs there in the end.

    Gives the paths of those tests; nothing is written when there are none.
    """
    modes = {f.path: f.after.mode for f in context.change.files if f.after is not None}
    tests = tuple(p for p in context.change.paths if paths.is_test(p))
    try:
        for path in tests:
            context.before.write(path, context.contents[path][1], executable=modes.get(path) == 0o100755)
        yield tests
    finally:
        for file, before, _ in context.before.changes():
            old = file.before
            context.before.write(file.path, before, executable=old is not None and old.mode == 0o100755)
