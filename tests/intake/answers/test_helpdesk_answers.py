"""Replies and notes by the shipped mappings, against a fake that knows what both products take."""

import base64

import pytest
from answers_support import HOSTILE, post, told
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from karkhana.intake.answers.channel import Failed, Hopeless
from karkhana.intake.answers.helpdesk import HelpdeskChannel
from karkhana.intake.helpdesk import Replies, mapping_of
from karkhana.intake.rehearsal.serving import Fake, Fault


class FakeHelpdesk(Fake):
    """Zendesk's and Freshdesk's tickets; a conversation is what both list."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[bool, str]] = []
        """Whether the reporter sees it, and what."""

    def program(self) -> Starlette:
        return Starlette(
            routes=[
                self._route("PUT", "/api/v2/tickets/7", self._update),
                self._route("GET", "/api/v2/tickets/7/comments", self._comments),
                self._route("POST", "/api/v2/tickets/7/reply", self._reply),
                self._route("POST", "/api/v2/tickets/7/notes", self._note),
                self._route("GET", "/api/v2/tickets/7/conversations", self._conversations),
            ]
        )

    def _route(self, method: str, path: str, act) -> Route:
        async def handle(request: Request) -> Response:
            async def carry_out(body) -> Response:
                return JSONResponse(act(body))

            return await self.answered(request, carry_out)

        return Route(path, handle, methods=[method])

    def _update(self, body):
        assert set(body) == {"ticket"}
        assert set(body["ticket"]["comment"]) == {"body", "public"}
        self.said.append((body["ticket"]["comment"]["public"], body["ticket"]["comment"]["body"]))
        return {"ticket": {"id": 7}}

    def _comments(self, _body):
        return {"comments": [{"body": text} for _public, text in reversed(self.said)]}

    def _reply(self, body):
        assert set(body) == {"body"}
        self.said.append((True, body["body"]))
        return {"id": 1}

    def _note(self, body):
        assert set(body) == {"body", "private"}
        self.said.append((not body["private"], body["body"]))
        return {"id": 1}

    def _conversations(self, _body):
        return [{"body": text} for _public, text in self.said]


def replies(product: str) -> Replies:
    found = mapping_of(product).answer
    assert found is not None
    return found


def desk(calls, product: str, *, public: bool = True) -> HelpdeskChannel:
    return HelpdeskChannel(calls, replies(product), lambda: "key-1", user="agent@shop.test", public=public)


@pytest.mark.parametrize(("product", "pair"), [("zendesk", "agent@shop.test/token:key-1"), ("freshdesk", "key-1:X")])
@pytest.mark.parametrize("public", [True, False])
def test_a_reply_or_a_note_is_made(services, product, pair, public):
    fake = FakeHelpdesk()

    async def act(calls):
        return await desk(calls, product, public=public).say(told("It is done."), post("7"))

    assert services.ask(fake, act) == {"said": True}
    ((seen, text),) = fake.said
    assert (seen, text.partition("\n")[0].partition("<br>")[0]) == (public, "It is done.")
    assert fake.asked[0].authorization == "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("product", ["zendesk", "freshdesk"])
def test_what_was_said_before_a_crash_is_found_by_its_reference(services, product):
    fake = FakeHelpdesk()

    async def act(calls):
        channel = desk(calls, product)
        fake.faults.append(Fault(status=500, after=True))
        with pytest.raises(Failed):
            await channel.say(told("It is done."), post("7"))
        await channel.say(told("It is done."), post("7", begun=True))
        await channel.say(told("Another."), post("7", marker="m2", begun=True))
        await channel.say(told("Another, changed."), post("7", marker="m2", external={"said": True}))

    services.ask(fake, act)
    assert [text.partition(".")[0] for _seen, text in fake.said] == ["It is done", "Another"]


def test_html_of_strangers_is_text_where_html_is_sent(services):
    fake = FakeHelpdesk()

    async def act(calls):
        await desk(calls, "freshdesk").say(told(HOSTILE), post("7"))
        with pytest.raises(Hopeless):
            await desk(calls, "freshdesk").say(told(), post("7/../8"))

    services.ask(fake, act)
    assert "<script" not in fake.said[0][1]
