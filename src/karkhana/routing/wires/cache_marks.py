"""Marks that ask a provider to cache the prompt up to a place, as Anthropic and OpenAI write them.

Sources: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (``cache_control``, 5 minutes or 1 hour),
https://developers.openai.com/api/docs/guides/prompt-caching (``prompt_cache_breakpoint``, 30 minutes or 12 hours).

>>> cache_of({"cache_control": {"type": "ephemeral", "ttl": "1h"}})
<Cache.LONG: 'long'>
"""

from collections.abc import Mapping
from typing import Any

from karkhana.domain.chat import Cache

Json = dict[str, Any]


def cache_of(part: Mapping[str, Any]) -> Cache:
    """The mark of a part, in either way of writing; clients of compatible servers mix them."""
    mark = part.get("cache_control") or part.get("prompt_cache_breakpoint")
    if not isinstance(mark, Mapping):
        return Cache.NONE
    return Cache.LONG if mark.get("ttl") in ("1h", "12h", "24h") else Cache.SHORT


def cache_control(cache: Cache) -> Json:
    """Anthropic's mark, to be added to a part."""
    if not cache:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({"ttl": "1h"} if cache is Cache.LONG else {})}


def breakpoint_of(cache: Cache) -> Json:
    """OpenAI's mark, to be added to a part."""
    if not cache:
        return {}
    return {"prompt_cache_breakpoint": {"mode": "explicit"} | ({"ttl": "12h"} if cache is Cache.LONG else {})}
