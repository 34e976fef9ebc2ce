"""Mail from a maildir: each message becomes a ticket, its text part only.

Knows messages (RFC 5322, MIME) and folders. A message is from whom it says only if the server that received it says so
in the topmost ``Authentication-Results`` (RFC 8601) with ``dmarc=pass``; what a sender wrote into that header stands
below. All headers but the subject are read as they were sent, as encoded words (RFC 2047) could hold what looks like an
address or a result; a ``From`` that can be read in two ways is nobody's. Attachments and HTML are never read.
"""

import email
import email.errors
import email.header
import email.message
import email.policy
import email.utils
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from karkhana.intake.deliveries import Delivery, Ignored, Outcome, Refused, TicketDraft
from karkhana.intake.payload import clean, line
from karkhana.intake.signatures import Secrets

PARTS = 50
_ADDRESS = r'([^<>@",;:()\\\s]+@[^<>@",;:()\\\s]+)'
_FROM = re.compile(rf'(?:[^<>@",;:()\\]|"[^"\\]*")*+<{_ADDRESS}>|{_ADDRESS}')
_QUOTE = re.compile(r"(?m)^(?:On .{0,200} wrote:|-{2,}\s*Original Message\s*-{2,}|-- )\s*$")


class Mail:
    """``verified_by`` is the name of the receiving server in ``Authentication-Results``."""

    def __init__(self, verified_by: str) -> None:
        self._verified_by = verified_by.casefold()

    def verify(self, delivery: Delivery, _secrets: Secrets) -> Refused | None:
        results = _headers(_message(delivery), "authentication-results")
        server, _, methods = (results[0] if results else "").partition(";")
        if (server.split() or [""])[0].casefold() != self._verified_by:
            return Refused("the receiving server says nothing of the sender", 401)
        found = [method.split() for method in _bare(methods).casefold().split(";")]
        dmarc = [method[0] for method in found if method and method[0].startswith("dmarc=")]
        return None if dmarc == ["dmarc=pass"] else Refused("the sender is not who it says", 401)

    def identity(self, delivery: Delivery) -> str:
        return line("".join(_headers(_message(delivery), "message-id")[:1]))

    def read(self, delivery: Delivery) -> Outcome:
        message = _message(delivery)
        sender = _sender(message)
        if not sender:
            return Ignored("it is not from one sender")
        if _headers(message, "auto-submitted")[:1] not in ([], ["no"]) or _headers(message, "list-id"):
            return Ignored("a program or a list sent it")
        subject = line("".join(_headers(message, "subject", decoded=True)[:1]))
        to = email.utils.getaddresses(_headers(message, "to"))
        identity = self.identity(delivery)
        references = _headers(message, "references") + _headers(message, "in-reply-to")
        first = line(" ".join(references).split()[0]) if " ".join(references).split() else identity
        return TicketDraft(
            text="\n\n".join(part for part in (subject, _text(message)) if part),
            sender=sender,
            place=line(to[0][1]).casefold() if to else "",
            subjects=tuple(dict.fromkeys(each for each in (identity, first) if each)) or (delivery.digest,),
            reference=identity,
            address=f"{sender} {identity}",
        )


def waiting(folder: Path, largest: int) -> Iterator[tuple[Path, bytes | None]]:
    """Messages in ``new`` of a maildir, the oldest first; ``None`` for the content of one that is too large."""
    try:
        paths = sorted((folder / "new").iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        if path.name.startswith(".") or path.is_symlink() or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                content = file.read(largest + 1)
        except FileNotFoundError:
            # somebody else, who reads the same folder, was first
            continue
        yield path, content if len(content) <= largest else None


def read_once(path: Path) -> None:
    """Mark a message as seen: it is moved from ``new`` to ``cur``, unless somebody else was first."""
    with suppress(FileNotFoundError):
        seen = path.parent.parent / "cur"
        seen.mkdir(exist_ok=True)
        path.rename(seen / f"{path.name.partition(':')[0]}:2,S")


def _message(delivery: Delivery) -> email.message.Message:
    # the older policy does not parse header values, which is where a parser could be made to fail
    return email.message_from_bytes(delivery.body, policy=email.policy.compat32)


def _headers(message: email.message.Message, name: str, *, decoded: bool = False) -> list[str]:
    found = []
    for raw in message.get_all(name, [])[:20]:
        if not decoded:
            # an encoded word could hold what is read as another address or result
            found.append(line(str(raw)[:10_000], 4000))
            continue
        pieces = []
        try:
            for text, charset in email.header.decode_header(str(raw)[:10_000]):
                pieces.append(text if isinstance(text, str) else _decoded(text, charset))
        except (ValueError, email.errors.HeaderParseError):
            pieces = [str(raw)[:10_000]]
        found.append(line("".join(pieces), 4000))
    return found


def _sender(message: email.message.Message) -> str:
    """The only address of the only ``From``; empty when it is not as plain as that."""
    froms = message.get_all("from", [])
    found = _FROM.fullmatch(" ".join(str(froms[0]).split())) if len(froms) == 1 else None
    return line(found[1] or found[2]).casefold() if found else ""


def _text(message: email.message.Message) -> str:
    for number, part in enumerate(message.walk()):
        if number >= PARTS:
            break
        if part.get_content_type() == "text/plain" and part.get_filename() is None and not part.is_multipart():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                text = clean(_decoded(content, str(part.get_param("charset") or "utf-8")))
                return _QUOTE.split(text, maxsplit=1)[0].strip()
    return ""


def _decoded(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        # the name of a charset is the sender's choice, and some codecs are none of texts
        return content.decode("utf-8", "replace")


def _bare(text: str) -> str:
    """``text`` without comments and quoted strings, which may hold anything, also ``; dmarc=pass``."""
    kept, depth, quoted, escaped = [], 0, False, False
    for each in text:
        if escaped:
            escaped = False
        elif each == "\\" and (depth or quoted):
            escaped = True
        elif each == '"' and not depth:
            quoted = not quoted
        elif each in "()" and not quoted:
            depth = max(0, depth + (1 if each == "(" else -1))
        elif not depth and not quoted:
            kept.append(each)
    return "".join(kept)
