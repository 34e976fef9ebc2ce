"""The gate ``traffic``: recorded requests before and after, with applications of several kinds."""

import json

import msgspec
import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.quality.gates.traffic import Traffic, Wishes
from karkhana.quality.traffic.comparing import Difference, Kind
from karkhana.quality.traffic.requests import Request
from karkhana.workspace.memory import TemporaryWorkspace

WSGI = """
import json, pathlib, random, sys, time
print("starting")

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        while True: time.sleep(1)
    if path == "/exit":
        sys.exit(3)
    count = pathlib.Path("count.txt")
    count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
    body = {"path": path, "price": PRICE, "at": time.time(), "pick": [random.random()], "count": count.read_text()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]
"""
ASGI = """
import asyncio
ready = False

async def app(scope, receive, send):
    global ready
    if scope["type"] == "lifespan":
        await receive()
        ready = True
        await send({"type": "lifespan.startup.complete"})
        return await receive()
    message = await receive()
    await asyncio.sleep(0)
    status = STATUS if ready else 503
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"sid=abc; Path=/")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    cookies = [v for k, v in scope["headers"] if k == b"cookie"]
    await send({"type": "http.response.body", "body": b"|".join([message["body"], *cookies])})
"""


def har(*requests: tuple[str, str]) -> str:
    entries = [
        {"request": {"method": m, "url": f"https://shop.example{p}", "headers": [{"name": "cookie", "value": "sid=1"}]}}
        for m, p in requests
    ]
    return json.dumps({"log": {"entries": entries}})


def check(before: dict[str, str], after: dict[str, str], ticket: str = "fix it") -> GateResult:
    with (
        still_context(before, after, ticket=ticket) as context,
        TemporaryWorkspace(before) as old,
        TemporaryWorkspace(after) as new,
    ):
        return Traffic().check(msgspec.structs.replace(context, before=old, after=new))


def wsgi(price: str, **more: str) -> dict[str, str]:
    return {"shop/web.py": WSGI.replace("PRICE", price), "shop/__init__.py": "", **more}


def test_answers_that_differ_are_blamed_and_noise_is_not() -> None:
    requests = har(("GET", "/items/3?all=1"), ("POST", "/orders"), ("GET", "/exit"))
    result = check(wsgi("3", **{"a.har": requests}), wsgi("4", **{"a.har": requests}))
    assert (result.status, result.hard) == (GateStatus.FAILED, False)
    assert result.measures == {"requests": 3, "differing": 2, "unasked": 2, "broken": 0}
    assert [f.message for f in result.findings] == [
        "GET /items/3?all=1: $.price was 3, is 4",
        "POST /orders: $.price was 3, is 4",
    ]
    same = check(wsgi("3", **{"a.har": requests}), wsgi("2 + 1", **{"a.har": requests}))
    assert (same.status, same.measures["differing"]) == (GateStatus.PASSED, 0)
    asked = check(wsgi("3", **{"a.har": requests}), wsgi("4", **{"a.har": requests}), "The price is 4 now")
    assert (asked.status, asked.measures["differing"], asked.findings[0].severity) == (GateStatus.PASSED, 2, "info")


def test_a_new_server_error_is_never_asked_for() -> None:
    requests = har(("GET", "/items/3"))
    result = check(wsgi("3", **{"a.har": requests}), wsgi("1 / 0", **{"a.har": requests}), "Change price of /items/3")
    assert (result.status, result.measures["broken"]) == (GateStatus.FAILED, 1)
    assert "is 500 (ZeroDivisionError: division by zero)" in result.findings[0].message
    repaired = check(wsgi("1 / 0", **{"a.har": requests}), wsgi("3", **{"a.har": requests}))
    assert (repaired.status, repaired.findings[0].rule) == (GateStatus.PASSED, "traffic:repaired")


def test_an_asgi_application_with_its_start_and_its_cookies() -> None:
    requests = har(("GET", "/a"), ("GET", "/b"))

    def program(status: int, more: str = "") -> dict[str, str]:
        return {
            "main.py": ASGI.replace("STATUS", str(status)).replace("*cookies", f"*cookies{more}"),
            "x.har": requests,
        }

    result = check(program(200), program(200, ", b'more'"))
    assert [f.message for f in result.findings] == [
        "GET /a: line 1 was nothing, is |more",
        "GET /b: line 1 was |sid=abc, is |sid=abc|more",
    ]
    assert check(program(200), program(410)).findings[0].message == "GET /a: status was 200, is 410"


def test_examples_of_a_description_are_requests_too() -> None:
    description = json.dumps({"openapi": "3.1.0", "paths": {"/items": {"get": {}}}})
    result = check(wsgi("3", **{"openapi.json": description}), wsgi("4", **{"openapi.json": description}))
    assert [f.message for f in result.findings] == ["GET /items: $.price was 3, is 4"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"README.md": "a"}, {"README.md": "b"}, "nothing that an application is made of changed"),
        ({"cart.py": "a = 1"}, {"cart.py": "a = 2"}, "no web application found"),
        (wsgi("3"), wsgi("4"), "no recorded request, and no example in an OpenAPI description"),
    ],
)
def test_where_there_is_nothing_to_replay_there_is_nothing_to_say(
    before: dict[str, str], after: dict[str, str], said: str
) -> None:
    result = check(before, after)
    assert (result.status, result.summary, result.measures) == (GateStatus.PASSED, said, {"requests": 0})


def test_an_application_that_cannot_be_started_is_unknown() -> None:
    requests = {"a.har": har(("GET", "/"))}
    result = check(wsgi("3", **requests), {**wsgi("3", **requests), "shop/web.py": WSGI + "\nimport no_such_thing"})
    assert result.status is GateStatus.UNKNOWN
    assert "after the change: shop.web: ModuleNotFoundError: No module named 'no_such_thing'" in result.summary


def test_an_application_that_ends_the_interpreter_is_a_server_error() -> None:
    requests = {"a.har": har(("GET", "/"), ("GET", "/b"))}
    ending = WSGI.replace("PRICE", "3").replace("    if path ==", "    import os; os._exit(4)\n    if path ==", 1)
    result = check(wsgi("3", **requests), {**wsgi("3", **requests), "shop/web.py": ending})
    assert [f.message for f in result.findings] == ["GET /: status was 200, is 500 (it ended the process)"]


def test_only_tests_that_the_change_brings_or_alters_speak_for_it() -> None:
    requests = {"a.har": har(("GET", "/items/3"))}
    tests = "def test_items(client):\n    assert client.get('/items/3').ok\n\n\ndef test_other():\n    assert 1\n"

    def changed(after: str) -> GateStatus:
        before = {**wsgi("3", **requests), "tests/test_shop.py": tests}
        return check(before, {**wsgi("4", **requests), "tests/test_shop.py": after}).status

    assert changed(tests.replace("assert 1", "assert 2")) is GateStatus.FAILED
    assert changed(tests.replace(".ok", ".json()['price'] == 4")) is GateStatus.PASSED
    assert changed(tests.replace("assert 1", "assert 2\r")) is GateStatus.FAILED


def test_what_ticket_and_tests_speak_of() -> None:
    def asked(target: str, part: str, *, ticket: str = "", tests: str = "", kind: Kind = Kind.CHANGED) -> bool:
        request = Request(method="GET", target=target)
        return Wishes(ticket, tests).include(Difference(request=request, kind=kind, part=part, before="", after=""))

    assert asked("/items/3?x=1", "status", tests="client.get('/items/7')")
    assert asked("/items/3", "status", ticket="GET /items/3 gives 500.")
    assert not asked("/items/3", "status", tests="client.get('/items/7/price')")
    assert not asked("/items", "status", tests="client.get('/items/7')")
    assert not asked("/", "status", ticket="and/or")
    assert asked("/a", "$.total", ticket="the total is wrong")
    assert not asked("/a", "$.total", tests="total")
    assert not asked("/a", "$.total", ticket="the subtotal is wrong")
    assert not asked("/items/3", "status", ticket="/items/3", kind=Kind.BROKEN)
