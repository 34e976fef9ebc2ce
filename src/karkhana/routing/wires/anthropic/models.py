"""What Anthropic's models take differs by generation, and their names tell it.

| from | what changes |
|---|---|
| 4.1 | temperature and top_p must not both be given |
| 4.6 | thinking is ``adaptive``, with an effort instead of a budget of tokens |
| 4.7 | no sampling parameters (temperature, top_p, top_k); effort ``xhigh`` |

Source: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking and the notes on migration.

>>> generation("claude-sonnet-4-20250514"), generation("claude-opus-4-8"), generation("some-other-model")
((4, 0), (4, 8), (0, 0))
"""

import re

ONE_SAMPLING = (4, 1)
ADAPTIVE = (4, 6)
NO_SAMPLING = (4, 7)
DEFAULT_MAX_TOKENS = 8192
"""Tokens of an answer if the request names no limit, which this wire needs: what nearly all models can."""
LEAST_BUDGET = 1024
"""Tokens below which a budget for thinking is refused."""

_NAME = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)")


def generation(model: str) -> tuple[int, int]:
    """Major and minor; (0, 0) for what is none of Anthropic's."""
    found = _NAME.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
