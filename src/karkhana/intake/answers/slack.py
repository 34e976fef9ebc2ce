"""Slack: messages in the ticket's thread, buttons for decisions, a sign that something was seen.

Knows the Web API (``chat.postMessage``, ``chat.update``, ``chat.postEphemeral``, ``conversations.replies``,
``reactions.add``) and blocks. A message carries its marker as metadata, which is looked for before a message is sent
that may have been sent already.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import SETTLED, Failed, Hopeless, LockedOut, NotNow, Post
from karkhana.intake.answers.escaping import slack, slack_block
from karkhana.intake.answers.github_access import Secret
from karkhana.intake.answers.message import Decision, Message
from karkhana.intake.slack import plain

API = "https://slack.com/api"
RESPONDS = "hooks.slack.com"
EVENT = "karkhana_answer"
APPROVE = "karkhana_approve"
REJECT = "karkhana_reject"
LONGEST = 2900
"""Characters of a section; Slack takes 3000."""
EARLIER = 50
"""The last messages of a thread that are handed on."""
PAGE = 200
PAGES = 10
LOCKED = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"}
)
LATER = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_REFERENCE = re.compile(r"([A-Z0-9]{1,40}):([0-9]{1,20}\.[0-9]{1,12})")


class SlackChannel:
    """One workspace, with a bot's token."""

    def __init__(self, calls: Calls, token: Secret, *, responds: str = RESPONDS) -> None:
        """``responds``: the only host to which the press of a button is answered."""
        self._calls = calls
        self._token = token
        self._responds = responds

    async def say(self, message: Message, post: Post) -> dict[str, Any]:
        channel, thread = _place(post.reference)
        shown: dict[str, Any] = {"text": slack(message.text)[:LONGEST], "blocks": blocks_of(message)}
        if message.seen and not post.external:
            named = {"channel": channel, "timestamp": thread, "name": "eyes"}
            await self._ask("reactions.add", named, fine=("already_reacted", "message_not_found", "too_many_reactions"))
        if message.respond and await self._respond(message, shown):
            return {"responded": True}
        quiet = {"unfurl_links": False, "unfurl_media": False, "parse": "none", "link_names": False}
        if message.to:
            alone = {"channel": channel, "thread_ts": thread, "user": message.to, **shown}
            await self._ask("chat.postEphemeral", alone, fine=("user_not_in_channel",))
            return {"alone": True}
        metadata = {"event_type": EVENT, "event_payload": {"marker": post.marker}}
        at = post.external.get("ts") or (await self._found(channel, thread, post.marker) if post.begun else "")
        if at:
            edited = {"channel": channel, "ts": at, "metadata": metadata, "parse": "none", "link_names": False, **shown}
            await self._ask("chat.update", edited, fine=("message_not_found", "cant_update_message"))
            return {"ts": at}
        new = {"channel": channel, "thread_ts": thread, "metadata": metadata, **quiet, **shown}
        return {"ts": (await self._ask("chat.postMessage", new))["ts"]}

    async def earlier(self, reference: str) -> list[tuple[str, str]]:
        channel, thread = _place(reference)
        found = await self._replies(channel, thread)
        said = [each for each in found if not each.get("bot_id")]
        return [(str(each.get("user", "")), plain(str(each.get("text", "")))) for each in said[-EARLIER:]]

    async def _found(self, channel: str, thread: str, marker: str) -> str:
        for each in await self._replies(channel, thread):
            payload = (each.get("metadata") or {}).get("event_payload") or {}
            if payload.get("marker") == marker:
                return str(each["ts"])
        return ""

    async def _replies(self, channel: str, thread: str) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"channel": channel, "ts": thread, "limit": PAGE, "include_all_metadata": True}
        found: list[dict[str, Any]] = []
        for _page in range(PAGES):
            told = await self._ask("conversations.replies", asked, fine=("thread_not_found",), form=True)
            found += told.get("messages", [])
            cursor = (told.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            asked["cursor"] = cursor
        return found

    async def _respond(self, message: Message, shown: dict[str, Any]) -> bool:
        """Answer the press of a button; ``False`` when that time is over, and it has to be said otherwise."""
        if urlsplit(message.respond).netloc != self._responds:
            return False
        alone = {"response_type": "ephemeral", "replace_original": False} if message.to else {"replace_original": True}
        answered = await self._calls.call("POST", message.respond, {**shown, **alone}, allow=(404, 410))
        return answered.status < 300

    async def _ask(
        self, method: str, body: dict[str, Any], *, fine: tuple[str, ...] = (), form: bool = False
    ) -> dict[str, Any]:
        if form:
            body = {name: str(text).lower() if isinstance(text, bool) else text for name, text in body.items()}
        found = await self._calls.call("POST", f"/{method}", body, authorization=f"Bearer {self._token()}", form=form)
        told = found.data
        if not isinstance(told, dict):
            raise Failed(f"{method}: the answer cannot be read")
        error = str(told.get("error", ""))[:100]
        if told.get("ok") is True or error in fine:
            return told
        if error in ("ratelimited", "rate_limited"):
            raise NotNow(f"{method}: {error}", SETTLED)
        if error in LOCKED:
            raise LockedOut(f"{method}: {error} {str(told.get('needed', ''))[:100]}".strip())
        raise (Failed if error in LATER else Hopeless)(f"{method}: {error}")


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """The message as blocks."""
    parts = [slack(message.text)]
    if message.shipped is not None:
        kept = message.shipped
        score = "" if kept.score is None else f", score {kept.score:.2f}"
        parts.append(f"Branch {slack(kept.branch)}, commit {slack(kept.commit[:12])}{score}.")
    blocks = [_section("\n".join(parts))]
    if message.quote:
        blocks.append(_section(slack_block(message.quote[: LONGEST // 2])))
    if message.decision is not None:
        blocks += [_section(_effect(message.decision)), _buttons(message.decision)]
    return blocks


def _effect(decision: Decision) -> str:
    until = f" It goes ahead at {slack(decision.until)} unless somebody rejects it." if decision.until else ""
    looked = f"Look at the change first: karkhana runs diff {slack(decision.run_id)}"
    return f"Approving {slack(decision.effect)}.{until}\n{looked}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:LONGEST], "verbatim": True}}


def _buttons(decision: Decision) -> dict[str, Any]:
    value = f"{decision.run_id} {decision.digest}"
    return {
        "type": "actions",
        "elements": [
            _button(APPROVE, "Approve", value, "primary", f"It {decision.effect}."),
            _button(REJECT, "Reject", value, "danger", "The change is given up."),
        ],
    }


def _button(action: str, name: str, value: str, style: str, effect: str) -> dict[str, Any]:
    digest = value.partition(" ")[2]
    return {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": name, "emoji": False},
        "style": style,
        "value": value,
        "confirm": {
            "title": {"type": "plain_text", "text": f"{name} {digest[:12]}?"},
            "text": {"type": "plain_text", "text": effect[:290]},
            "confirm": {"type": "plain_text", "text": name},
            "deny": {"type": "plain_text", "text": "Back"},
        },
    }


def _place(reference: str) -> tuple[str, str]:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise Hopeless(f"{reference[:80]!r} is no message at Slack")
    return found[1], found[2]
