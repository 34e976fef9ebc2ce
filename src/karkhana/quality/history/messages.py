"""What a commit's message says of it: a repair, a revert. The patterns are data (``messages.toml``).

Messages are untrusted; they decide what is looked at, and a false one costs only a wrong label. Knows nothing of
what the commit changed.

>>> says_fix("Fix crash when the cart is empty"), says_fix("Fix typo in the docs")
(True, False)
>>> reverted_by("Revert \\"Faster cart\\"\\n\\nThis reverts commit 0123456789abcdef.")
('0123456789abcdef', 'Faster cart')
"""

import re
import tomllib
from functools import lru_cache
from importlib import resources

FIRST = 600
"""Characters in which a message says what it is about."""


@lru_cache(maxsize=1)
def _patterns() -> dict[str, tuple["re.Pattern[str]", ...]]:
    text = resources.files("karkhana.quality.history").joinpath("messages.toml").read_text("utf-8")
    return {
        name: tuple(re.compile(one, re.IGNORECASE) for one in patterns)
        for name, patterns in tomllib.loads(text).items()
    }


def says_fix(message: str) -> bool:
    """Whether a commit says that it repairs behaviour; a revert does not."""
    rules = _patterns()
    title, _, body = message.strip().partition("\n")
    if is_revert(message) or any(rule.search(title) for rule in rules["not_fix"]):
        return False
    first = f"{title}\n{body.strip().partition(chr(10) * 2)[0]}"[:FIRST]
    if any(rule.search(first) for rule in rules["fix"]):
        return True
    return any(rule.search(message) for rule in rules["closes"])


def is_revert(message: str) -> bool:
    """Whether a commit takes another one back."""
    commit, title = reverted_by(message)
    return commit is not None or title is not None


def reverted_by(message: str) -> tuple[str | None, str | None]:
    """(object name or its beginning, title) of the commit that this one takes back, as far as the message says."""
    rules = _patterns()
    text = message.strip()
    named = next((found[1].lower() for rule in rules["reverts"] if (found := rule.search(text))), None)
    title = text.partition("\n")[0].strip()
    called = next((found[1].strip() for rule in rules["reverts_title"] if (found := rule.search(title))), None)
    return named, called
