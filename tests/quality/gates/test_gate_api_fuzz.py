"""The gate ``api_fuzz``: which endpoints it looks at, and what it makes of objections."""

import json

import msgspec
import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.quality.gates.api_fuzz import ApiFuzz, judge
from karkhana.quality.traffic.fuzzing import Failure, look
from karkhana.quality.traffic.requests import Request
from karkhana.workspace.memory import TemporaryWorkspace

PLAIN = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"{}"]
"""
ROUTES = """
from typing import Annotated
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
import pricing
from stock import Stock, Item

def shared(n): return pricing.price(n)

async def items(request: Request, stock=Stock()):
    return JSONResponse([shared(1), stock.count()])

def one(request):
    def inner(): return Item
    return JSONResponse(inner())

app = Starlette(routes=[
    Route("/items", items), Mount("/v1", routes=[Route("/items/{id:int}", one, methods=["POST"])]),
])
"""
MODULES = {
    "main.py": ROUTES,
    "pricing.py": "def price(n):\n    return rounded(n)\n\ndef rounded(n):\n    return n\n\ndef unused():\n    pass\n",
    "stock.py": "class Stock:\n    def count(self):\n        return 1\n\nclass Item:\n    size = 1\n",
}


def check(before: dict[str, str], after: dict[str, str]) -> GateResult:
    with (
        still_context(before, after) as context,
        TemporaryWorkspace(before) as old,
        TemporaryWorkspace(after) as new,
    ):
        return ApiFuzz().check(msgspec.structs.replace(context, before=old, after=new))


def test_what_a_route_may_reach() -> None:
    with TemporaryWorkspace(MODULES) as workspace:
        found = look(workspace, 60)
    assert (found.application, found.description) == ("main:app", None)
    reached = {(r.method, r.path): {place for place in r.reached if place[0] != "main.py"} for r in found.routes}
    assert reached == {
        ("GET", "/items"): {("pricing.py", 1), ("pricing.py", 4), ("stock.py", 0), ("stock.py", 2)},
        ("POST", "/v1/items/{id}"): {("stock.py", 0)},
    }


@pytest.mark.parametrize(
    ("before", "after", "status", "said"),
    [
        ({"README.md": "a"}, {"README.md": "b"}, GateStatus.PASSED, "no code outside tests"),
        ({"a.py": "x = 1"}, {"a.py": "x = 2"}, GateStatus.PASSED, "no web application found"),
        ({"a.py": PLAIN}, {"a.py": PLAIN + "x = 2\n"}, GateStatus.UNKNOWN, "no OpenAPI description of a:app is known"),
        ({"a.py": PLAIN}, {"a.py": PLAIN + "1 / 0\n"}, GateStatus.UNKNOWN, "a: ZeroDivisionError: division by zero"),
    ],
)
def test_where_nothing_can_be_fuzzed(
    before: dict[str, str], after: dict[str, str], status: GateStatus, said: str
) -> None:
    result = check(before, after)
    assert (result.status, said in result.summary) == (status, True), result.summary


def test_only_endpoints_that_reach_the_change_are_asked_for() -> None:
    described = json.dumps({"openapi": "3.1.0", "paths": {"/items": {"get": {}}}})
    before = {**MODULES, "openapi.json": described}
    idle = check(before, {**before, "pricing.py": MODULES["pricing.py"].replace("pass", "return 1")})
    assert (idle.status, idle.measures) == (GateStatus.PASSED, {"endpoints": 0})
    reached = check(before, {**before, "pricing.py": MODULES["pricing.py"].replace("return n", "return n + 1")})
    assert reached.status is GateStatus.UNKNOWN  # there is no schemathesis beside this workspace
    assert reached.summary.startswith("schemathesis is not installed: run `karkhana doctor`")


def test_a_description_in_yaml_as_people_write_it() -> None:
    described = "openapi: 3.1.0\npaths:\n  /items:\n    get:\n      responses:\n        200: {description: DAY}\n"
    described += "        default: {description: x, example: !!binary aGk=}\n"
    before = {**MODULES, "openapi.yaml": described}
    result = check(before, {**before, "openapi.yaml": described.replace("DAY", "all")})
    assert result.summary.startswith("schemathesis is not installed")


def failure(operation: str, check: str, message: str = "Server error") -> Failure:
    request = Request(method="POST", target=operation.split()[1] + "?x=1", body=b'{"a": 0}')
    return Failure(operation=operation, check=check, title="It fails", message=message, request=request)


def test_objections_become_findings() -> None:
    crash = failure("POST /a", "not_a_server_error")
    schema = failure("POST /b", "response_schema_conformance", "1 is not of type 'string'\n\nSchema at /a")
    touched = [("POST", "/a"), ("POST", "/b"), ("GET", "/c")]
    result = judge([(crash, "500\x1b, was 200"), (schema, "")], [crash], touched, 2, known=3)
    assert result.status is GateStatus.FAILED
    assert result.measures == {"endpoints": 2, "at_fault": 2, "server_errors": 1, "known": 3}
    assert [f.message for f in result.findings] == [
        'POST /a?x=1 with {"a": 0}: 500\ufffd, was 200',
        "POST /b?x=1 with {\"a\": 0}: It fails: 1 is not of type 'string'",
    ]
    assert result.summary.endswith(
        "2 endpoints newly at fault; 1 more were left out; 1 server error did not show again"
    )
    assert judge([], [], touched, 9, known=1).status is GateStatus.PASSED


def test_the_same_objection_has_one_key_whatever_the_values() -> None:
    one = failure("GET /a", "response_schema_conformance", "1 is not of type 'string'\n\nSchema at /a:\n\n{}\n")
    other = failure("GET /a", "response_schema_conformance", "7 is not of type 'string'\n\nSchema at /a:\n\n{}\n")
    elsewhere = failure("GET /a", "response_schema_conformance", "7 is not of type 'string'\n\nSchema at /b:\n\n{}\n")
    assert one.key == other.key != elsewhere.key
