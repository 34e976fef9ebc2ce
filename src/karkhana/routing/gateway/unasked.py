"""Takes out of a stream what only we asked for: the chunk with the usage.

>>> kept = UsageFilter()
>>> kept.feed(b'data: {"choices":[1]}\\n\\ndata: {"choices":[],"usage":{}}\\n\\ndata: [DONE]\\n\\n')
b'data: {"choices":[1]}\\n\\ndata: [DONE]\\n\\n'
"""

import msgspec

_BLANK = b"\n\n"
_LARGEST = 4 << 20
"""Bytes of an unfinished event; one that is longer is handed on as it is."""


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] = []
    usage: msgspec.Raw = msgspec.Raw()


class UsageFilter:
    """For one stream of Chat Completions; everything else stays byte for byte."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """What of the stream so far is to be handed on now."""
        text = self._rest + piece
        end = text.rfind(_BLANK)
        if end < 0:
            self._rest = text if len(text) <= _LARGEST else b""
            return b"" if self._rest else text
        self._rest = text[end + 2 :]
        whole = text[: end + 2]
        if b'"usage"' not in whole:
            return whole
        events = whole[:-2].split(_BLANK)
        return b"".join(event + _BLANK for event in events if not _only_usage(event))

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def _only_usage(event: bytes) -> bool:
    if b'"usage"' not in event or not event.startswith(b"data:"):
        return False
    try:
        chunk = msgspec.json.decode(event[5:], type=_Chunk)
    except msgspec.MsgspecError:
        return False
    return not chunk.choices and bytes(chunk.usage) not in (b"", b"null")
