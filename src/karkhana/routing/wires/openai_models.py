"""What OpenAI's models take differs by generation, and their names tell it.

>>> reasons("gpt-5.6-sol"), reasons("gpt-4.1"), marks_cache("gpt-5.6-sol"), marks_cache("gpt-5.1")
(True, False, True, False)
"""

import re

_GENERATION = re.compile(r"(?:^|/)gpt-(\d+)(?:\.(\d+))?")
_REASONING = re.compile(r"(?:^|/)o[1-9](?:-|$)")


def reasons(model: str) -> bool:
    """Whether it thinks before it answers, and so refuses the old name of the limit of tokens."""
    return _REASONING.search(model) is not None or _generation(model) >= (5, 0)


def marks_cache(model: str) -> bool:
    """Whether it takes explicit marks for the prompt cache; the others cache by themselves.

    Source: https://developers.openai.com/api/docs/guides/prompt-caching.
    """
    return _generation(model) >= (5, 6)


def _generation(model: str) -> tuple[int, int]:
    found = _GENERATION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)
