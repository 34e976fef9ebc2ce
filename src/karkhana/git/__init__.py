"""Git plumbing that never looks at an untrusted work tree.

Trees and blobs are read from the repository's object store with an explicit ``--git-dir``; new objects are written
into a scratch repository of ours from bytes in memory. Hooks, filters, fsmonitor, textconv and attributes of a
tree therefore never run. This package knows nothing of sandboxes, tickets, forges or credentials.

>>> make_patch({"a.txt": (None, (0o100644, b"hi\\n"))}).splitlines()[0]
'diff --git a/a.txt b/a.txt'
"""

from karkhana.git.repository import ChangedFile, Repository
from karkhana.git.scratch import Contents, File, Scratch, make_patch
from karkhana.git.worktree import checkout

__all__ = ["ChangedFile", "Contents", "File", "Repository", "Scratch", "checkout", "make_patch"]
