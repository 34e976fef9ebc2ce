"""Answers how many tokens a prompt of Anthropic's Messages has, which its clients ask before they send it.

A provider of that wire is asked if it is the first candidate, for only it knows; otherwise, or when it does not answer
at once, the answer is the estimate that also bounds what a call may cost, which is too high rather than too low.

Source: https://platform.claude.com/docs/en/api/messages-count-tokens.
"""

from typing import NamedTuple

import msgspec

from karkhana.http.messages import Headers
from karkhana.routing.calling import Caller
from karkhana.routing.configuration import Candidate
from karkhana.routing.faults import ProviderFault
from karkhana.routing.gateway.doors import with_fields
from karkhana.routing.prices import body_tokens
from karkhana.routing.provider_faults import broken

PATH = "/v1/messages/count_tokens"
WIRE = "anthropic"
PATIENCE_S = 5.0
"""Seconds that a provider may take."""


class Count(NamedTuple):
    tokens: int
    source: str
    """``PROVIDER/MODEL``, or ``estimate``."""


class _Told(msgspec.Struct):
    input_tokens: int


async def counted(caller: Caller, candidate: Candidate, body: bytes, headers: Headers) -> Count:
    """The tokens of a request's body; ``headers`` are the client's own, without its key."""
    provider = caller.providers[candidate.provider]
    if provider.wire.name == WIRE:
        try:
            asked = with_fields(body, model=candidate.model)
            told = await provider.ask_beside(candidate.model, "/count_tokens", asked, PATIENCE_S, headers)
            return Count(_read(told), str(candidate))
        except ProviderFault:
            # Whatever is wrong there, a client that asks this wants a number, and a call will tell the rest.
            pass
    return Count(body_tokens(body), "estimate")


def _read(told: bytes) -> int:
    try:
        return msgspec.json.decode(told, type=_Told).input_tokens
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise broken(f"the count makes no sense: {error}") from error
