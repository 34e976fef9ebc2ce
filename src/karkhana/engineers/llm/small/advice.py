"""What a model that calls no tools is told of a strategy: the sentences that can help it, and few of them.

A strategy is written for models that work through tools; a sentence about a tool only misleads one that has none, and
each token of a local model's prompt costs time with every question. Knows texts.

>>> short_advice("Run run_tests after each edit. Keep edge cases in mind: empty input, one element.")
'Keep edge cases in mind: empty input, one element.'
"""

import re

from karkhana.engineers.llm.prompting import tools

LONGEST = 400
"""Characters; about 120 tokens."""
_END = re.compile(r"(?<=[.!?])\s+")


def short_advice(text: str) -> str:
    """The first sentences that name no tool, at most :data:`LONGEST` characters of them; whole sentences only."""
    names = tuple(tool.name for tool in tools())
    kept = ""
    for sentence in _END.split(" ".join(text.split())):
        if any(name in sentence for name in names):
            continue
        if len(longer := f"{kept} {sentence}".strip()) > LONGEST:
            break
        kept = longer
    return kept
