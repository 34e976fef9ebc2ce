"""Slack's Events API and interactivity: a mention, a message shortcut, the buttons of an approval.

Knows the payloads (Slack, "Events API", "Handling user interaction"); a channel stands for a repository, and a thread
is one ticket. Nothing is asked of Slack here: a thread's earlier messages are not in its events.
"""

import re

import msgspec

from karkhana.intake.deliveries import Challenge, Command, Delivery, Ignored, Outcome, Refused, TicketDraft, Verb
from karkhana.intake.door import media_type
from karkhana.intake.payload import Unreadable, clean, fitted, form, line, read
from karkhana.intake.signatures import Secrets, slack

SHORTCUT = "karkhana"
"""Callback of the message shortcut."""
BUTTONS = {"karkhana_approve": Verb.APPROVE, "karkhana_reject": Verb.REJECT}
"""Actions of an approval's buttons; the value of each is ``RUN HASH``."""
WORDS = 1
"""Words after a command's verb: "cancel" is one, "cancel the order twice and it raises" is a ticket."""
_MENTION = re.compile(r"<@[A-Z0-9]{1,40}(\|[^<>]{0,200})?>")
_LINK = re.compile(r"<(https?://[^|<>\s]++)(?:\|([^<>]*+))?>")
_ID = re.compile(r"[A-Z0-9]{1,40}")
_TIME = re.compile(r"[0-9]{1,20}\.[0-9]{1,12}")


class Event(msgspec.Struct):
    """The event within ``event_callback``."""

    type: str
    channel: str = ""
    user: str = ""
    text: str = ""
    ts: str = ""
    thread_ts: str = ""
    bot_id: str | None = None
    subtype: str | None = None


class Envelope(msgspec.Struct):
    """What the Events API sends."""

    type: str
    challenge: str = ""
    event_id: str = ""
    event: Event | None = None


class Named(msgspec.Struct):
    id: str


class Message(msgspec.Struct):
    ts: str = ""
    text: str = ""
    thread_ts: str = ""


class Action(msgspec.Struct):
    action_id: str = ""
    value: str = ""


class Interaction(msgspec.Struct):
    """What a shortcut or a button sends."""

    type: str
    user: Named | None = None
    channel: Named | None = None
    message: Message | None = None
    actions: list[Action] = []
    callback_id: str = ""
    response_url: str = ""


class Slack:
    """Events in JSON, interactions as the field ``payload`` of a form."""

    def verify(self, delivery: Delivery, secrets: Secrets) -> Refused | None:
        return slack(delivery, secrets)

    def identity(self, delivery: Delivery) -> str:
        if media_type(delivery.headers) != "application/json":
            return ""
        return fitted(read(delivery.body), Envelope).event_id

    def read(self, delivery: Delivery) -> Outcome:
        match media_type(delivery.headers):
            case "application/json":
                return _event(fitted(read(delivery.body), Envelope))
            case "application/x-www-form-urlencoded":
                return _interaction(fitted(read(form(delivery.body, "payload").encode()), Interaction))
        return Refused("Slack sends JSON and forms", 415)


def _event(envelope: Envelope) -> Outcome:
    if envelope.type == "url_verification":
        return Challenge(line(envelope.challenge))
    event = envelope.event
    if envelope.type != "event_callback" or event is None:
        return Ignored(f"Slack's {line(envelope.type, 60)!r} is not known here", known=False)
    if event.bot_id or event.subtype:
        return Ignored("a program wrote it")
    if event.type != "app_mention":
        return Ignored(f"{line(event.type, 60)} is nothing that anybody asked for")
    text = plain(event.text)
    about = _subject(event.channel, event.thread_ts or event.ts)
    # a mention is itself a call by name, so that a command needs no slash
    verb, _, words = text.removeprefix("/karkhana").strip().partition(" ")
    if verb.lower() in set(Verb) and (verb.lower() in (Verb.REJECT, Verb.ANSWER) or len(words.split()) <= WORDS):
        return _command(Verb(verb.lower()), words.strip(), event.user, event.channel, about)
    return _draft(text, event.user, event.channel, about, continues=event.thread_ts not in ("", event.ts))


def _interaction(given: Interaction) -> Outcome:
    if given.user is None or given.channel is None:
        return Ignored("it comes from no channel")
    message = given.message or Message()
    if given.type == "message_action" and given.callback_id == SHORTCUT:
        about = _subject(given.channel.id, message.thread_ts or message.ts)
        continues = message.thread_ts not in ("", message.ts)
        return _draft(plain(message.text), given.user.id, given.channel.id, about, continues=continues)
    if given.type == "block_actions":
        for action in given.actions:
            if action.action_id in BUTTONS:
                run_id, _, hash_ = line(action.value).partition(" ")
                place = given.channel.id
                about = f"{place}:{message.thread_ts or message.ts}"
                verb = BUTTONS[action.action_id]
                respond = line(given.response_url, 1000)
                return _command(verb, hash_, given.user.id, place, about, run_id=run_id, respond=respond)
    return Ignored(f"{line(given.type, 60)} is nothing that anybody asked for")


def plain(text: str) -> str:
    """``text`` without mentions and marks of Slack's.

    >>> plain("<@U1> see <https://x.test/a|this> &amp; that")
    'see this (https://x.test/a) & that'
    """
    found = _MENTION.sub("", text[:50_000])
    found = _LINK.sub(lambda link: f"{link[2]} ({link[1]})" if link[2] else link[1], found)
    return clean(found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).strip()


def _subject(channel: str, time: str) -> str:
    if not _ID.fullmatch(channel) or not _TIME.fullmatch(time):
        raise Unreadable("it names no message")
    return f"{channel}:{time}"


def _draft(text: str, user: str, channel: str, about: str, *, continues: bool) -> TicketDraft:
    return TicketDraft(
        text=text,
        sender=line(user),
        place=line(channel),
        subjects=(about,),
        reference=about,
        address=about,
        continues=continues,
    )


def _command(
    verb: Verb, words: str, user: str, channel: str, about: str, *, run_id: str = "", respond: str = ""
) -> Command:
    return Command(
        verb=verb,
        sender=line(user),
        place=line(channel),
        subject=about,
        words=words,
        run_id=run_id,
        address=about,
        respond=respond,
    )
