"""Makes a request read the same for every program. Knows nothing of what requests are about.

A body that names a key twice is one thing for a program that takes the last and another for one that takes the first;
``Model`` beside ``model`` is nothing for most, and the model for those that do not mind the case, as Go's are. What the
gateway let in and reserved for must be what the provider reads.

Source: RFC 8259, section 4, on objects whose names are not unique.

>>> clear(b'{"model":"cheap","n":1}'), clear(b'{"model": "dear", "model": "cheap"}')
(b'{"model":"cheap","n":1}', b'{"model":"cheap"}')
"""

import msgspec

from karkhana.routing.wires.wire import BadRequest

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_INNER = frozenset({"stream_options", "options", "generationConfig", "generation_config"})
"""Fields of which the gateway reads what is in them."""


def clear(body: bytes) -> bytes:
    """The same object, byte for byte if no key can stand in it twice; else with the last of each.

    Raises :class:`BadRequest` for keys that differ by nothing but their case, and for what is no object.
    """
    try:
        found = _FIELDS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the request cannot be read: {error}") from error
    # Most requests have none but lower case, and no such field.
    if not "".join(found).islower() and len({name.lower() for name in found}) < len(found):
        raise BadRequest("two fields of the request differ by nothing but upper and lower case")
    changed = not _INNER.isdisjoint(found) and _cleared_within(found)
    # A field that stands there twice, an escape or white space can only make a body longer.
    once = msgspec.json.encode(found)
    return body if not changed and (len(once) == len(body) or _spaced(found) == body) else once


def _cleared_within(found: dict[str, msgspec.Raw]) -> bool:
    changed = False
    for name in _INNER.intersection(found):
        inner = bytes(found[name])
        if inner[:1] == b"{" and (once := clear(inner)) != inner:
            found[name], changed = msgspec.Raw(once), True
    return changed


def _spaced(found: dict[str, msgspec.Raw]) -> bytes:
    """As Python's own ``json`` writes it."""
    fields = [b'"%b": %b' % (name.encode("utf-8", "replace"), value) for name, value in found.items()]
    return b"{" + b", ".join(fields) + b"}"
