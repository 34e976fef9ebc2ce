"""A helpdesk's JSON: where in it everything stands is data, one file for each product (:file:`mappings/`).

Knows no product. A path is names between dots, ``detail.subject``; what is not there is left out.
"""

import re
import tomllib
from html import unescape
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.intake.deliveries import Delivery, Ignored, Outcome, Refused, TicketDraft
from karkhana.intake.door import media_type
from karkhana.intake.payload import Unreadable, clean, line, read
from karkhana.intake.signatures import Secrets, shared, timed_base64

SHIPPED = ("zendesk", "freshdesk")
LONGEST_HTML = 200_000
"""Characters of it that are read."""
HIDING = frozenset({"script", "style", "head"})
BREAKING = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "pre", "blockquote"})
# Possessive, so that no text of a stranger takes more than one pass: the standard library's parser needs minutes for
# 200 kB of opened tags.
_PIECE = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<name>/?[a-z][a-z0-9]*+)?[^<>]*+>|(?P<text>[^<]++|<)", re.DOTALL | re.IGNORECASE
)


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a product shows that it is itself."""

    scheme: str
    """``hmac-sha256-base64`` over time and body, or ``secret``: the secret itself."""
    header: str
    time_header: str = ""

    def __post_init__(self) -> None:
        if self.scheme not in ("hmac-sha256-base64", "secret"):
            raise ValueError("scheme must be hmac-sha256-base64 or secret")
        if self.scheme == "hmac-sha256-base64" and not self.time_header:
            raise ValueError("hmac-sha256-base64 needs a time_header")
        if not all(name == name.lower() and name.startswith(("x-", "auth")) for name in filter(None, self._names())):
            raise ValueError("headers are written in small letters, and are authorization or begin with x-")

    def _names(self) -> tuple[str, str]:
        return self.header, self.time_header


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How something is said in a ticket."""

    method: str
    path: str
    """With ``{ticket}`` for its number."""
    text: str
    """Path, in the JSON that is sent, to the words …"""
    also: dict[str, bool | str | int] = {}
    """… and to what else stands there."""
    html: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("POST", "PUT", "PATCH") or not self.path.startswith("/"):
            raise ValueError("a reply has a method (POST, PUT, PATCH) and a path that begins with /")


class Lookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a ticket's conversation is read."""

    path: str
    text: str
    """Path to the words within one entry."""
    list: str = ""
    """Path to the entries; empty: the answer is the list."""


class Replies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a product is answered."""

    user: str
    """Of basic authentication, with ``{user}`` and ``{secret}`` from the settings …"""
    password: str
    """… and its password, likewise."""
    public: Reply
    """What the reporter sees."""
    private: Reply
    """What agents see."""
    lookup: Lookup


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where everything stands."""

    signature: Signature
    ticket: str
    """Its number."""
    title: str
    text: str
    sender: str
    place: str = ""
    reference: str = ""
    delivery: str = ""
    """What names a delivery."""
    priority: str = ""
    priorities: dict[str, str] = {}
    """The product's word for a priority → ours."""
    labels: str = ""
    event: str = ""
    """What happened, and …"""
    events: tuple[str, ...] = ()
    """… what of it makes a ticket; none: everything."""
    html: bool = False
    """Whether the text is HTML."""
    answer: Replies | None = None
    """How it is answered; a product without it is not."""


def mapping_of(name: str) -> Mapping:
    """A shipped mapping by its name, or the one in a file. Raises ``InvalidSetting``."""
    try:
        if name in SHIPPED:
            text = (resources.files("karkhana.intake") / "mappings" / f"{name}.toml").read_text()
        else:
            text = Path(name).expanduser().read_text()
        return msgspec.convert(tomllib.loads(text), Mapping)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise InvalidSetting(
            f"the mapping {name} cannot be read: {error}", f"Name {' or '.join(SHIPPED)}, or a file as theirs."
        ) from error


class Helpdesk:
    """One product."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def verify(self, delivery: Delivery, secrets: Secrets) -> Refused | None:
        signature = self._mapping.signature
        if signature.scheme == "secret":
            return shared(delivery, secrets, signature.header)
        return timed_base64(delivery, secrets, signature.header, signature.time_header)

    def identity(self, delivery: Delivery) -> str:
        return self._found(read(delivery.body), "delivery")

    def read(self, delivery: Delivery) -> Outcome:
        if media_type(delivery.headers) != "application/json":
            return Refused("choose JSON for the webhook's content", 415)
        payload = read(delivery.body)
        event = self._found(payload, "event")
        if self._mapping.events and not event:
            raise Unreadable(f"there is no {self._mapping.event}")
        if self._mapping.events and event not in self._mapping.events:
            return Ignored(f"{event} makes no ticket")
        number = self._found(payload, "ticket")
        if not number:
            raise Unreadable(f"there is no {self._mapping.ticket}")
        text = at(payload, self._mapping.text) or ""
        if not isinstance(text, str):
            raise Unreadable(f"{self._mapping.text} is no text")
        body = clean(text_of(text) if self._mapping.html else text)
        priority = self._found(payload, "priority").casefold()
        labels = at(payload, self._mapping.labels)
        named = [line(str(label), 80) for label in labels[:50]] if isinstance(labels, list) else []
        if priority:
            named.append(self._mapping.priorities.get(priority, priority))
        return TicketDraft(
            text="\n\n".join(part for part in (self._found(payload, "title"), body) if part),
            sender=self._found(payload, "sender"),
            place=self._found(payload, "place"),
            subjects=(f"ticket {number}",),
            reference=self._found(payload, "reference") or number,
            address=number,
            labels=tuple(named),
        )

    def _found(self, payload: Any, name: str) -> str:
        path = getattr(self._mapping, name)
        found = at(payload, path)
        # a number names a ticket as well as a text does; a list or an object does not
        if found is not None and (isinstance(found, bool) or not isinstance(found, str | int)):
            raise Unreadable(f"{path} is no text")
        return "" if found is None else line(str(found))


def at(payload: Any, path: str) -> Any:
    """What stands at a path; ``None`` when nothing does.

    >>> at({"detail": {"id": 7}}, "detail.id"), at({"detail": []}, "detail.id")
    (7, None)
    """
    if not path:
        return None
    for name in path.split("."):
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def text_of(html: str) -> str:
    """The words of HTML.

    >>> text_of("<p>It <b>fails</b></p><script>x()</script><p>Twice</p>")
    'It fails\\nTwice'
    """
    words: list[str] = []
    hidden = 0
    for found in _PIECE.finditer(html[:LONGEST_HTML]):
        name = found["name"]
        if name is None:
            if not hidden and found["text"]:
                words.append(unescape(found["text"]))
            continue
        closing, name = name.startswith("/"), name.removeprefix("/").lower()
        if name in HIDING:
            hidden = max(0, hidden - 1) if closing else hidden + 1
        elif name in BREAKING and not closing:
            words.append("\n")
    lines = "".join(words).split("\n")
    return "\n".join(filter(None, (" ".join(each.split()) for each in lines)))
