"""Which requests are the same, and which may be answered from memory. Knows nothing of where answers are kept.

A request may be answered from memory if its client gave temperature 0, forbade nothing (``cache-control: no-store``),
and nothing but its own text decides on the answer: it goes on with no conversation that a provider remembers, and
every tool is one that the client itself runs: those that a provider runs (a search, a sandbox) see a changing world.

Two requests are the same if their JSON is, whatever the order of its keys and its white space; a body that names a key
twice is read differently by different programs, so it is like no other.

>>> bodies = b'{"b": 1, "a": 0}', b'{"a":0,"b":1}', b'{"a":0,"a":1}'
>>> one, same, odd = (identity("openai", "", "m", [], body) for body in bodies)
>>> one == same, odd is None
(True, True)
"""

import hashlib
from typing import Any

import msgspec

from karkhana.domain.json import canonical
from karkhana.http.messages import Headers
from karkhana.routing.wires.wire import Json

TOLD_APART = (
    b"anthropic-beta",
    b"anthropic-version",
    b"openai-beta",
    b"x-karkhana-residency",
    b"x-karkhana-task-type",
)
"""Headers of a client with which the same body may have another answer."""
REMEMBERED = frozenset(
    {
        "background",
        "container",
        "conversation",
        "mcp_servers",
        "previous_response_id",
        "prompt",
        "thread",
        "cachedContent",
        "web_search_options",
    }
)
"""Fields with which more than the request's own text decides on the answer."""
OWN_TOOLS = frozenset({"function", "custom"})
"""Types of tools that the client runs."""
_GEMINI_TOOLS = frozenset({"functionDeclarations", "function_declarations"})
AFTER = b"x-karkhana-after"
"""With this header a client says that the answer it got was no good."""


def wishes(headers: Headers) -> frozenset[bytes]:
    """The words of a client's ``cache-control``, in lower case. Who asks :data:`AFTER` another answer wants a new one.

    >>> sorted(wishes([(b"cache-control", b"No-Store, max-age=0")]))
    [b'max-age=0', b'no-store']
    """
    said = [b"no-cache" if name == AFTER else value for name, value in headers if name in (b"cache-control", AFTER)]
    return frozenset(word.strip().lower() for value in said for word in value.split(b","))


def identity(door: str, scope: str, model: str, headers: Headers, body: bytes) -> str | None:
    """The SHA-256 of a request, in hexadecimal; ``None`` if it may not be answered from memory.

    ``door`` tells the wire and the verb, ``scope`` those with whom answers are shared.
    """
    try:
        read = msgspec.json.decode(body)
        same = canonical(read)
        once = _names_all_once(body, same)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not once:
        return None
    if not isinstance(read, dict) or not REMEMBERED.isdisjoint(read) or not _runs_its_tools(read.get("tools")):
        return None
    told_apart = sorted(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers if name in TOLD_APART
    )
    return hashlib.sha256(canonical([door, scope, model, told_apart]) + same).hexdigest()


def _names_all_once(body: bytes, same: bytes) -> bool:
    """Whether no object of ``body`` names a key twice; ``same`` is what was read of it, written anew.

    Of a key that stands twice one is lost. A quotation mark before a colon ends a key, or stands escaped within a text,
    and then it does so in both, unless it was written as a number.
    """
    if b"\\u0022" in body:
        return False
    return msgspec.json.format(body, indent=-1).count(b'":') == same.count(b'":')


def _runs_its_tools(tools: Any) -> bool:
    """Whether all of a request's tools are run by its client."""
    if tools is None:
        return True
    return isinstance(tools, list) and all(isinstance(tool, dict) and _is_own(tool) for tool in tools)


def _is_own(tool: Json) -> bool:
    if "type" in tool:
        return tool["type"] in OWN_TOOLS
    # Anthropic's own tools have a type, Gemini's a name of their own for each kind.
    return "input_schema" in tool or (bool(tool) and _GEMINI_TOOLS.issuperset(tool))
