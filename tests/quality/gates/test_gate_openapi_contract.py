"""The gate ``openapi_contract``: descriptions in files, in several files, and written by applications."""

import json
from typing import Any

import msgspec
import pytest
from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.quality.contracts.openapi.generated import generate
from karkhana.quality.gates.intent import intended, raised
from karkhana.quality.gates.openapi_contract import OpenApiContract
from karkhana.workspace.memory import TemporaryWorkspace

APPLICATION = """
from fastapi import FastAPI
print("starting")
app = FastAPI({paths})
"""
FRAMEWORK = """
class FastAPI:
    def __init__(self, *paths):
        self.paths = paths

    def openapi(self):
        return {"openapi": "3.1.0", "paths": {path: {"get": {"responses": {}}} for path in self.paths}}
"""


def text(*paths: str, version: str = "1.0", **parts: Any) -> str:
    operations = {path: {"get": {"responses": {"200": {}}}} for path in paths}
    return json.dumps({"openapi": "3.1.0", "info": {"version": version}, "paths": operations, **parts})


def check(before: dict[str, str], after: dict[str, str], ticket: str = "fix it") -> GateResult:
    with (
        still_context(before, after, ticket=ticket) as context,
        TemporaryWorkspace(before) as old,
        TemporaryWorkspace(after) as new,
    ):
        return OpenApiContract().check(msgspec.structs.replace(context, before=old, after=new))


def test_without_a_description_there_is_nothing_to_say() -> None:
    result = check({"a.json": "{}", "openapi.json": "[1]"}, {"a.json": "[]", "openapi.json": "[2]"})
    assert (result.status, result.summary) == (GateStatus.PASSED, "no OpenAPI description changed")


def test_a_break_is_a_finding_in_its_file() -> None:
    result = check({"api/openapi.json": text("/a", "/b")}, {"api/openapi.json": text("/a")})
    assert (result.status, result.hard, result.measures["breaking"]) == (GateStatus.FAILED, False, 1)
    assert [(f.rule, f.path) for f in result.findings] == [("openapi:path_removed", "api/openapi.json")]


def test_a_finding_names_its_line() -> None:
    def described(*paths: str, kind: str = "string") -> str:
        rows = [
            f"  {path}:\n    get:\n      parameters:\n      - {{name: q, in: query, schema: {{type: {kind}}}}}"
            for path in paths
        ]
        return "\n".join(["openapi: 3.1.0", "paths:", *rows, ""])

    changed = check({"api.yaml": described("/a", "/b")}, {"api.yaml": described("/a", "/b", kind="integer")})
    assert [(f.path, f.line) for f in changed.findings] == [("api.yaml", 6), ("api.yaml", 10)]
    gone = check({"api.yaml": described("/a", "/b")}, {"api.yaml": described("/a")})
    assert [(f.path, f.line) for f in gone.findings] == [("api.yaml", 2)]


def test_a_compatible_change_passes() -> None:
    result = check({"service.yaml": text("/a")}, {"service.yaml": text("/a", "/b")})
    assert (result.status, result.measures["descriptions"]) == (GateStatus.PASSED, 1)


@pytest.mark.parametrize(
    ("ticket", "version", "status"),
    [
        ("Remove the endpoint /b, nobody calls it", "1.0", GateStatus.PASSED),
        ("Remove the endpoint /bc", "1.0", GateStatus.FAILED),
        ("Make /b faster", "1.0", GateStatus.FAILED),
        ("Tidy up", "2.0", GateStatus.PASSED),
    ],
)
def test_what_was_asked_for_is_not_blamed(ticket: str, version: str, status: GateStatus) -> None:
    result = check({"openapi.json": text("/a", "/b")}, {"openapi.json": text("/a", version=version)}, ticket)
    assert result.status is status
    assert result.measures["intended"] == (status is GateStatus.PASSED)


def test_words_and_versions() -> None:
    assert intended("the parameter `filter` is required from now on", ("filter",))
    assert not intended("requires filtering", ("filter",))
    assert (raised("1.9", "2.0"), raised("2.0", "2.1"), raised("", "2")) == (True, False, False)


def test_a_part_in_another_file_is_compared_with_the_whole() -> None:
    whole = text(components={"schemas": {"A": {"$ref": "schemas/a.json"}}})
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    document = {**json.loads(whole), "paths": {"/a": {"get": {"responses": {"200": body}}}}}
    before = {"api/openapi.json": json.dumps(document), "api/schemas/a.json": '{"type": "string"}'}
    result = check(before, {**before, "api/schemas/a.json": '{"type": "integer"}'})
    assert [f.rule for f in result.findings] == ["openapi:response_type_changed"]


def test_what_could_not_be_compared_is_unknown() -> None:
    for after in ({}, {"openapi.json": '{"openapi": "3.1.0", '}):
        assert check({"openapi.json": text("/a")}, after).status is GateStatus.UNKNOWN
    remote = text("/a", security=[])
    remote = remote.replace('{"responses"', '{"requestBody": {"$ref": "https://example.org/x"}, "responses"')
    assert check({"openapi.json": remote}, {"openapi.json": remote + " "}).status is GateStatus.UNKNOWN


def test_an_application_describes_itself() -> None:
    def program(paths: str) -> dict[str, str]:
        return {"shop/main.py": APPLICATION.format(paths=paths), "fastapi.py": FRAMEWORK}

    result = check(program("'/a', '/b'"), program("'/a'"))
    assert [(f.rule, f.message) for f in result.findings] == [("openapi:path_removed", "the path /b is gone")]
    broken = check(program("'/a'"), program("1 / 0"))
    assert (broken.status, broken.findings) == (GateStatus.UNKNOWN, ())
    assert "shop.main does not describe itself: ZeroDivisionError" in broken.summary


def test_an_application_that_ends_the_interpreter_is_told() -> None:
    for ending in ("import os; os._exit(3)", "raise SystemExit(3)"):
        with TemporaryWorkspace({"main.py": f"from fastapi import FastAPI\nFastAPI()\n{ending}\n"}) as workspace:
            found = generate(workspace, 30)
        assert (found.descriptions, len(found.failed)) == ({}, 1)
