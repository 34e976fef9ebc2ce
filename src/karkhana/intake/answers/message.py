"""What is to be said of a ticket, before anybody has put it into the words of a service.

Every text may hold words of strangers: whoever renders it escapes it. Knows no service.
"""

import msgspec

from karkhana.domain.json import canonical, decode


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A person is to approve or reject."""

    run_id: str
    digest: str
    """Hash of the change."""
    effect: str
    """What an approval does, as it follows the word "Approving"."""
    until: str = ""
    """When the change goes ahead without anybody: RFC 3339; empty: never."""


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """Where a delivered change lies."""

    branch: str
    commit: str
    remote: str = ""
    """That it was pushed to; empty: none."""
    title: str = ""
    summary: str = ""
    score: float | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    text: str
    """What it says, in a sentence or two."""
    quote: str = ""
    """Longer words of others, such as the reason of a failure."""
    task_id: str = ""
    status: str = ""
    """The task's."""
    decision: Decision | None = None
    shipped: Shipped | None = None
    seen: bool = False
    """With its first sending the request is marked as seen, where the service has a sign for that."""
    to: str = ""
    """Who alone should see it, where the service can do that."""
    respond: str = ""
    """Where the press of a button is answered."""


def packed(message: Message) -> str:
    """As it is kept."""
    return canonical(message).decode()


def unpacked(content: str, text: str) -> Message:
    """What :func:`packed` made; of an answer that has only words, these.

    >>> unpacked("", "hello").text
    'hello'
    """
    return decode(content, Message) if content else Message(text=text)
