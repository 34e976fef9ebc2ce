"""Commands in comments: ``/karkhana VERB …`` at the beginning of a line.

Knows nothing of who may give them. Only the first one of a text counts.

>>> spoken("Looks right.\\n/karkhana approve 1f2e3d4c good one")
(<Verb.APPROVE: 'approve'>, '1f2e3d4c good one')
>>> spoken("/karkhana"), spoken("see /karkhana approve")
(('work', ''), None)
"""

import re
from typing import Literal

from karkhana.intake.deliveries import Verb

NAME = "karkhana"
LONGEST = 1000
ANSWER_MAX = 20_000
_ANSWER = re.compile(rf"^[ ]{{0,3}}/{NAME}[ \t]+answer\b", re.IGNORECASE | re.MULTILINE)
_COMMAND = re.compile(rf"^[ ]{{0,3}}/{NAME}\b[ \t]*([a-z]*)[ \t]*([^\n]*)", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_WORK = frozenset({"", "work", "fix", "do", "run", "solve"})


def spoken(text: str) -> tuple[Verb | Literal["work"], str] | None:
    """The first command of ``text`` and the words after it; ``None`` without any.

    A verb that nobody knows is taken for a call for help. What stands in a block of code is not said.
    """
    found = _COMMAND.search(_QUOTED.sub("", text[:100_000]))
    if found is None:
        return None
    verb, words = found[1].lower(), found[2].strip()[:LONGEST]
    if verb == Verb.ANSWER:
        # an answer has lines and blocks of code, as a ticket has
        begun = _ANSWER.search(text)
        return Verb.ANSWER, text[begun.end() :].strip()[:ANSWER_MAX] if begun else words
    if verb in _WORK:
        return "work", words
    return (Verb(verb) if verb in set(Verb) else Verb.HELP), words
