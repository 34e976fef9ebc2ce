"""What a request needs and what a candidate can, compared. Knows nothing of requests' bodies, prices or quality.

>>> lacks(Needs(prompt=900, answer=200, tools=True), Ability(context=1000, tools=False))
['tools', 'a context of 1,100 tokens (it has 1,000)']
"""

from collections.abc import Sequence
from typing import NamedTuple

from karkhana.routing.faults import Fault, ProviderFault

_NAMED = 10
"""Candidates that a refusal names at most."""


class Needs(NamedTuple):
    """What a request asks of whoever answers it."""

    prompt: int = 0
    """Tokens, about."""
    answer: int = 0
    """Tokens that the client asks for; 0 if it does not say."""
    tools: bool = False
    json: bool = False
    images: bool = False
    residency: frozenset[str] = frozenset()
    """Labels, all of which must be fulfilled."""


class Ability(NamedTuple):
    """What a candidate can do."""

    context: int | None = None
    """Tokens of prompt and answer together; ``None``: nobody knows, so it is no restriction."""
    tools: bool = True
    json: bool = True
    images: bool = True
    residency: frozenset[str] = frozenset()

    @property
    def limited(self) -> bool:
        """Whether a request's body must be looked into to know if it can be answered."""
        return not (self.tools and self.json and self.images)


UNLIMITED = Ability()


def lacks(needs: Needs, ability: Ability) -> list[str]:
    """What a candidate would need and has not, in words; empty: it can answer."""
    missing = []
    if needs.tools and not ability.tools:
        missing.append("tools")
    if needs.json and not ability.json:
        missing.append("structured output")
    if needs.images and not ability.images:
        missing.append("images")
    if ability.context is not None and needs.prompt + needs.answer > ability.context:
        missing.append(f"a context of {needs.prompt + needs.answer:,} tokens (it has {ability.context:,})")
    unmet = needs.residency - ability.residency
    if unmet:
        missing.append("the residency " + ", ".join(sorted(unmet)))
    return missing


def nobody_can(model: str, missing: Sequence[tuple[str, Sequence[str]]]) -> ProviderFault:
    """The refusal of a request that no candidate can answer; ``missing``: each candidate with what it lacks."""
    told = "; ".join(f"{name} lacks {', '.join(words)}" for name, words in missing[:_NAMED])
    more = f"; and {len(missing) - _NAMED} others" if len(missing) > _NAMED else ""
    too_long = all(len(words) == 1 and words[0].startswith("a context") for _, words in missing)
    message = f"no candidate of {model[:200]!r} can answer this: {told}{more}"
    return ProviderFault(Fault.TOO_LONG if too_long else Fault.INVALID, message, code="no_capable_model")
