"""How much reasoning, between wires that say it in words and those that say it in tokens. Knows nothing of wires.

The figures are those by which Google's OpenAI-compatible interface reads the words, with more for the words above.
Source: https://ai.google.dev/gemini-api/docs/openai#thinking.

>>> tokens_of("medium"), effort_of(8192)
(8192, 'medium')
"""

TOKENS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
WORDS = tuple(TOKENS)
_MEDIUM, _HIGH = 4096, 16_384


def tokens_of(effort: str) -> int | None:
    """Tokens for a word; ``None`` for ``auto`` and what is no such word."""
    return TOKENS.get(effort)


def effort_of(tokens: int | None) -> str:
    """The nearest word."""
    if tokens is None:
        return ""
    if tokens <= 0:
        return "none"
    return "low" if tokens < _MEDIUM else "medium" if tokens < _HIGH else "high"


def word_of(effort: str, tokens: int | None) -> str:
    """The word for a request, empty for what the provider would do by itself."""
    return "" if effort == "auto" else effort or effort_of(tokens)
