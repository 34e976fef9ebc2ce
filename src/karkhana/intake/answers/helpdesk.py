"""A helpdesk's replies and notes: how one is made is data, in the product's mapping (``[answer]``).

Knows no product. What was sent carries a reference that everybody can read, by which it is found again: helpdesks keep
no hidden text.
"""

import base64
from typing import Any
from urllib.parse import quote

from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import Failed, Hopeless, Post
from karkhana.intake.answers.escaping import html
from karkhana.intake.answers.github_access import Secret
from karkhana.intake.answers.message import Message
from karkhana.intake.helpdesk import Replies, Reply, at

LONGEST = 20_000


class HelpdeskChannel:
    """One account of a product."""

    def __init__(self, calls: Calls, replies: Replies, secret: Secret, *, user: str, public: bool) -> None:
        self._calls = calls
        self._replies = replies
        self._reply: Reply = replies.public if public else replies.private
        self._secret = secret
        self._user = user

    async def say(self, message: Message, post: Post) -> dict[str, Any]:
        if not post.reference.isalnum():
            raise Hopeless(f"{post.reference[:80]!r} is no ticket's number")
        if post.external:
            # what a helpdesk sent by mail cannot be taken back: nothing is said twice in one slot
            return post.external
        if post.begun and await self._said(post):
            return {"said": True}
        text = words_of(message, post.marker)
        await self._ask(self._reply.method, self._reply.path, post.reference, self._body(text))
        return {"said": True}

    async def earlier(self, reference: str) -> list[tuple[str, str]]:
        """A new ticket has nothing before it."""
        del reference
        return []

    def _body(self, text: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for path, value in {**self._reply.also, self._reply.text: html(text) if self._reply.html else text}.items():
            *above, last = path.split(".")
            inner = made
            for name in above:
                inner = inner.setdefault(name, {})
            inner[last] = value
        return made

    async def _said(self, post: Post) -> bool:
        lookup = self._replies.lookup
        found = at(await self._ask("GET", lookup.path, post.reference), lookup.list) if lookup.list else None
        found = await self._ask("GET", lookup.path, post.reference) if found is None else found
        if not isinstance(found, list):
            raise Failed("the ticket's conversation cannot be read")
        return any(mark(post.marker) in str(at(each, lookup.text) or "") for each in found)

    async def _ask(self, method: str, path: str, ticket: str, body: Any = None) -> Any:
        pair = f"{self._replies.user}:{self._replies.password}"
        pair = pair.replace("{user}", self._user).replace("{secret}", self._secret())
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        place = path.replace("{ticket}", quote(ticket, safe=""))
        return (await self._calls.call(method, place, body, authorization=basic)).data


def words_of(message: Message, marker: str) -> str:
    """The message as plain words, with its reference. A decision is taken at the factory only."""
    parts = [message.text]
    if message.shipped is not None:
        parts.append(f"Branch {message.shipped.branch}, commit {message.shipped.commit[:12]}.")
    if message.quote:
        parts.append(message.quote)
    return "\n\n".join(parts)[:LONGEST] + f"\n\n{mark(marker)}"


def mark(marker: str) -> str:
    """What shows that a reply is ours."""
    return f"(karkhana {marker})"
