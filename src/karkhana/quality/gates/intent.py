"""Does the ticket ask for this break?

A break is intended when the ticket names what is broken and speaks of breaking, removing or demanding something
(``limits.toml``), or when the interface raises its own major version. Knows nothing of how breaks are found.

>>> intended("Remove the parameter `filter`: nobody uses it", ("filter",))
True
>>> intended("Speed up the query", ("filter",))
False
"""

import re

from karkhana.quality.gates.limits import limits


def intended(ticket: str, names: tuple[str, ...]) -> bool:
    """Whether the ticket's words ask for a break of one of ``names``."""
    words = ticket.lower()
    if not any(re.search(rf"\b{re.escape(stem)}", words) for stem in limits("intent")["words"]):
        return False
    return any(_named(words, name.lower()) for name in names if len(name) > 1)


def raised(before: str, after: str) -> bool:
    """Whether the first number of a version grew.

    >>> raised("1.4.2", "v2.0"), raised("1.4", "1.5")
    (True, False)
    """
    old, new = (re.search(r"\d+", version) for version in (before, after))
    return old is not None and new is not None and int(new[0][:9]) > int(old[0][:9])


def _named(words: str, name: str) -> bool:
    return re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", words) is not None
