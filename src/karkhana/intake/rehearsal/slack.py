"""Slack's Web API as far as answers need it, in memory: messages, threads, reactions, and answers to buttons.

Knows the methods' arguments in JSON and in forms, as Slack takes both, and its limits of blocks and texts.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from karkhana.intake.rehearsal.serving import Fake

BLOCKS = 50
TEXT = 40_000
SECTION = 3000
PAGE = 100

Arguments = dict[str, Any]


class FakeSlack(Fake):
    """One workspace; channels are there as soon as somebody speaks of them."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.alone: list[dict[str, Any]] = []
        """What was said to one person."""
        self.reactions: set[tuple[str, str, str]] = set()
        self.responses: list[dict[str, Any]] = []
        """What came by answers to buttons."""
        self._token = token
        self._numbers = itertools.count(1)

    def program(self) -> Starlette:
        methods: dict[str, Callable[[Arguments], dict[str, Any]]] = {
            "auth.test": lambda _given: {"ok": True, "user_id": "U0BOT"},
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.postEphemeral": self._post_alone,
            "conversations.replies": self._replies,
            "reactions.add": self._react,
        }
        routes = [self._route(name, act) for name, act in methods.items()]
        return Starlette(routes=[*routes, Route("/respond/{name}", self._respond, methods=["POST"])])

    def said(self, thread: str, text: str, *, user: str, ts: str = "") -> str:
        """Somebody says something; its time."""
        at = ts or self._time()
        self.messages.append({"type": "message", "user": user, "text": text, "ts": at, "thread_ts": thread})
        return at

    def _route(self, name: str, act: Callable[[Arguments], dict[str, Any]]) -> Route:
        async def handle(request: Request) -> Response:
            async def carry_out(body: Any) -> Response:
                shown = request.headers.get("authorization", "").removeprefix("Bearer ")
                given = {**request.query_params, **(body or {})}
                if (shown or given.get("token")) != self._token:
                    return JSONResponse({"ok": False, "error": "invalid_auth"})
                return JSONResponse(act({key: _plain(value) for key, value in given.items()}))

            return await self.answered(request, carry_out)

        return Route(f"/{name}", handle, methods=["GET", "POST"])

    async def _respond(self, request: Request) -> Response:
        async def keep(body: Any) -> Response:
            self.responses.append(body)
            return JSONResponse({"ok": True})

        return await self.answered(request, keep)

    def _post(self, given: Arguments) -> dict[str, Any]:
        if wrong := _wrong(given):
            return wrong
        at = self._time()
        kept: Arguments = {name: given[name] for name in ("text", "blocks", "metadata", "thread_ts") if name in given}
        self.messages.append({"type": "message", "user": "U0BOT", "bot_id": "B0", "ts": at, **kept})
        return {"ok": True, "channel": given["channel"], "ts": at, "message": self.messages[-1]}

    def _update(self, given: Arguments) -> dict[str, Any]:
        if wrong := _wrong(given):
            return wrong
        for message in self.messages:
            if message["ts"] == given.get("ts"):
                if not message.get("bot_id"):
                    return {"ok": False, "error": "cant_update_message"}
                message |= {name: given[name] for name in ("text", "blocks", "metadata") if name in given}
                return {"ok": True, "channel": given["channel"], "ts": message["ts"], "text": message.get("text")}
        return {"ok": False, "error": "message_not_found"}

    def _post_alone(self, given: Arguments) -> dict[str, Any]:
        if wrong := _wrong(given):
            return wrong
        if not given.get("user"):
            return {"ok": False, "error": "invalid_arguments"}
        self.alone.append(given)
        return {"ok": True, "message_ts": self._time()}

    def _replies(self, given: Arguments) -> dict[str, Any]:
        thread = str(given.get("ts", ""))
        found = [each for each in self.messages if thread in (each["ts"], each.get("thread_ts"))]
        if not found:
            return {"ok": False, "error": "thread_not_found"}
        if given.get("include_all_metadata") not in (True, "true", "1", 1):
            found = [{name: value for name, value in each.items() if name != "metadata"} for each in found]
        begin, size = int(given.get("cursor") or 0), min(int(given.get("limit", PAGE)), PAGE)
        more = begin + size if begin + size < len(found) else 0
        cursor = {"next_cursor": str(more) if more else ""}
        page = found[begin : begin + size]
        return {"ok": True, "messages": page, "has_more": bool(more), "response_metadata": cursor}

    def _react(self, given: Arguments) -> dict[str, Any]:
        mark = (str(given.get("channel")), str(given.get("timestamp")), str(given.get("name")))
        if mark in self.reactions:
            return {"ok": False, "error": "already_reacted"}
        self.reactions.add(mark)
        return {"ok": True}

    def _time(self) -> str:
        return f"1800000000.{next(self._numbers):06d}"


def _plain(value: Any) -> Any:
    """A form holds JSON as text."""
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _wrong(given: Arguments) -> dict[str, Any] | None:
    """What Slack would say against it."""
    if not given.get("channel"):
        return {"ok": False, "error": "channel_not_found"}
    blocks = given.get("blocks") or []
    if not given.get("text") and not blocks:
        return {"ok": False, "error": "no_text"}
    if len(str(given.get("text", ""))) > TEXT:
        return {"ok": False, "error": "msg_too_long"}
    if not isinstance(blocks, list) or len(blocks) > BLOCKS:
        return {"ok": False, "error": "invalid_blocks"}
    for block in blocks:
        text = (block.get("text") or {}).get("text", "") if isinstance(block, dict) else None
        if text is None or block.get("type") not in ("section", "actions", "context", "divider", "header"):
            return {"ok": False, "error": "invalid_blocks"}
        if len(text) > SECTION:
            return {"ok": False, "error": "invalid_blocks"}
    return None
