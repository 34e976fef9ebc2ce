"""The file that a weak model sees, so that its edits can be held to lines that are there.

Weak models write from memory what they are to copy. Asked for an edit under a schema, such a model may only name a line
of the file that it was shown last, as that is now. Knows nothing of models and of how calls are carried out.

>>> sight = Sight("cart.py", "def total(a):\\n    return -a\\n")
>>> sight.saw(EditFile(path="cart.py", old="-a", new="a"), EditResult("cart.py", "…"))
>>> sight.lines
['    return a']
"""

import re
from collections import Counter
from typing import Any

from karkhana.domain.tools import EditFile, EditResult, FileText, ReadFile, WriteFile

_HEAD = re.compile(r"\s*(?:async def|def|class)\b|\s*@")
_MOST = 120
"""Lines; a grammar of more is slow."""
_LONGEST = 200
"""Characters of a line."""


class Sight:
    """Of one conversation; ``path`` is empty while the model sees no file, or no longer knows it as it is."""

    def __init__(self, path: str = "", text: str = "") -> None:
        self.path, self.text = path, text

    def saw(self, call: Any, result: Any) -> None:
        """A call that was carried out, and what came of it."""
        match call, result:
            case ReadFile(), FileText():
                self.path, self.text = call.path, result.text
            case WriteFile(), EditResult():
                self.path, self.text = call.path, call.content
            case EditFile(), EditResult() if call.path == self.path and self.text.count(call.old) == 1:
                self.text = self.text.replace(call.old, call.new)
            case EditFile(), EditResult():
                self.path = self.text = ""

    @property
    def lines(self) -> list[str]:
        """The lines that an edit may name: those that stand in the file once, and head no definition.

        A weak model that names a head writes everything under it anew, and badly; it has ``write_file`` for that.
        """
        lines = self.text.split("\n")
        counts = Counter(lines)
        once = [line for line in lines if counts[line] == 1 and line.strip() and not _HEAD.match(line)]
        once = [line for line in once if self.text.count(line) == 1]
        return [line for line in once if len(line) <= _LONGEST][:_MOST]
