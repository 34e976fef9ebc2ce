"""Mail back to whoever wrote: one message for each answer, in the thread of theirs.

Knows SMTP with TLS (RFC 8314, RFC 3207) and what keeps answers from answering answers (RFC 3834). What was sent cannot
be changed, and nobody can look whether it arrived: a crash between sending and noting it sends it again, with the same
``Message-ID``, by which mail programs know it for the same.
"""

import asyncio
import smtplib
import ssl
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from karkhana.intake.answers.channel import Failed, Hopeless, LockedOut, Post
from karkhana.intake.answers.github_access import Secret
from karkhana.intake.answers.helpdesk import words_of
from karkhana.intake.answers.message import Message
from karkhana.intake.payload import line

TIMEOUT_S = 20.0


class MailChannel:
    """One server that takes our mail."""

    def __init__(
        self, address: str, sender: str, *, user: str = "", secret: Secret, tls: ssl.SSLContext | None = None
    ) -> None:
        """``address``: ``smtps://HOST[:465]``, or ``smtp://HOST[:587]`` with STARTTLS."""
        self._address = urlsplit(address)
        self._sender = sender
        self._user = user
        self._secret = secret
        self._tls = tls

    async def say(self, message: Message, post: Post) -> dict[str, Any]:
        if post.external:
            return post.external
        made = mail_of(message, post, self._sender)
        await asyncio.to_thread(self._send, made)
        return {"id": made["Message-ID"]}

    async def earlier(self, reference: str) -> list[tuple[str, str]]:
        """What was quoted is left out on purpose."""
        del reference
        return []

    def _send(self, made: EmailMessage) -> None:
        try:
            with self._server() as server:
                if self._user:
                    server.login(self._user, self._secret())
                server.send_message(made, self._sender, made["To"].addresses[0].addr_spec)
        except smtplib.SMTPAuthenticationError as error:
            raise LockedOut(f"mail: {error.smtp_code}, user and password do not count") from error
        except smtplib.SMTPRecipientsRefused as error:
            refused = [code for code, _reason in error.recipients.values()]
            kind = Hopeless if all(code >= 500 for code in refused) else Failed
            raise kind(f"mail: the recipient was refused, {refused}") from error
        except smtplib.SMTPResponseException as error:
            reason = f"mail: {error.smtp_code} {line(str(error.smtp_error), 100)}"
            raise (Hopeless if error.smtp_code in (550, 551, 553, 554) else Failed)(reason) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Failed(f"mail: {type(error).__name__}: {error}") from error

    def _server(self) -> smtplib.SMTP:
        host = self._address.hostname or ""
        context = self._tls or ssl.create_default_context()
        if self._address.scheme == "smtps":
            return smtplib.SMTP_SSL(host, self._address.port or 465, timeout=TIMEOUT_S, context=context)
        server = smtplib.SMTP(host, self._address.port or 587, timeout=TIMEOUT_S)
        try:
            # a server that offers no TLS is refused: the password and the ticket would be anybody's
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server


def mail_of(message: Message, post: Post, sender: str) -> EmailMessage:
    """The answer as mail. ``post.reference``: the address and the ``Message-ID`` that it answers, with a space between.

    Raises ``Hopeless`` for a reference that names no address.
    """
    to, _, answered = post.reference.partition(" ")
    name, at, domain = to.rpartition("@")
    if not at or not name or not domain:
        raise Hopeless(f"{to[:80]!r} is no address")
    made = EmailMessage(policy=SMTP)
    try:
        made["To"] = Address(username=name, domain=domain)
    except (ValueError, IndexError) as error:
        raise Hopeless(f"{to[:80]!r} is no address") from error
    made["From"] = sender
    made["Subject"] = f"Re: {line(message.task_id or 'your ticket', 80)}"
    made["Date"] = formatdate(time.time())
    made["Message-ID"] = f"<karkhana.{post.marker}@{sender.rpartition('@')[2].strip('>')}>"
    if answered.startswith("<") and answered.endswith(">") and answered.isascii() and " " not in answered:
        made["In-Reply-To"] = made["References"] = answered
    made["Auto-Submitted"] = "auto-replied"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(words_of(message, post.marker))
    return made
