"""Every call that answers make at GitHub, against GitHub's own OpenAPI description (npm ``@octokit/openapi``).

The client speaks to the fake GitHub that is shipped; all requests it got are then checked: a path and method that
exist, parameters and bodies of the right types without a field that GitHub does not name, and a foreseen status.
The fake's answers are checked too, as far as they go: it tells less than GitHub, but nothing of another type.

    npm pack @octokit/openapi && tar xzf octokit-openapi-*.tgz -C DIR
    python -m benchmarks.github_contract --data DIR [--json]
"""

import argparse
import asyncio
import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.common import emit
from karkhana.http.pool import Pool
from karkhana.intake.answers.calling import Calls
from karkhana.intake.answers.channel import Post, Unsaid
from karkhana.intake.answers.github import HEADERS, GitHubChannel
from karkhana.intake.answers.github_access import App, Token
from karkhana.intake.answers.message import Decision, Message, Shipped
from karkhana.intake.rehearsal.github import FakeGitHub
from karkhana.intake.rehearsal.serving import Asked, served

COMMIT = "c0ffee" * 6 + "c0ff"


def messages() -> list[tuple[str, Message]]:
    """One of each kind, and where it goes."""
    decision = Decision(run_id="run_1", digest="ab" * 32, effect="makes the branch karkhana/BUILD-1")
    shipped = Shipped(branch="karkhana/BUILD-1", commit=COMMIT, remote="origin", title="Fix", summary="It is fixed.")
    states = ["queued", "building", "waiting_for_review", "delivered", "failed", "cancelled", "rejected"]
    found = [
        ("octo/shop#7", Message(text="BUILD-1 is in the queue.", task_id="BUILD-1", status="queued", seen=True)),
        ("octo/shop#7!99", Message(text="BUILD-1 is cancelled.", task_id="BUILD-1", seen=True)),
        ("octo/shop#7", Message(text="BUILD-1 waits.", task_id="BUILD-1", decision=decision)),
        ("octo/shop#7", Message(text="BUILD-1 is delivered.", task_id="BUILD-1", status="delivered", shipped=shipped)),
    ]
    return found + [
        (f"octo/shop@{COMMIT}", Message(text=f"BUILD-2: {state}", quote="why", task_id="BUILD-2", status=state))
        for state in states
    ]


async def conversation() -> list[Asked]:
    """What is asked for all messages, said, changed, and found again after a crash."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    fake = FakeGitHub(app="Iv23li", public_key=public.decode(), token="github_pat_1")
    labels = {"queued": "karkhana", "delivered": "karkhana: done"}
    async with served(fake) as address, Pool() as pool:
        calls = Calls(pool, address, HEADERS)
        app = App("Iv23li", lambda: private, calls)
        for access in (app, Token(lambda: "github_pat_1")):
            channel = GitHubChannel(calls, access, pull_requests=True, labels=labels)
            for number, (place, message) in enumerate(messages()):
                post = Post(reference=place, marker=f"m{number}-{access.checks}")
                external = await channel.say(message, post)
                for begun, known in ((True, external), (True, {})):
                    again = Post(reference=place, marker=post.marker, begun=begun, external=known)
                    assert await channel.say(message, again) | external == external | await channel.say(message, again)
        fake.tokens.clear()
        with contextlib.suppress(Unsaid):
            await GitHubChannel(calls, Token(lambda: "wrong")).say(*_first())
    return fake.asked


def _first() -> tuple[Message, Post]:
    place, message = messages()[0]
    return message, Post(reference=place, marker="m")


class Description:
    """GitHub's description, OpenAPI 3.0."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text())
        _modern(self._document)
        self._paths = [
            (re.compile(re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(name)) + r"\Z"), name, item)
            for name, item in self._document["paths"].items()
        ]
        # a name without braces goes before one with them
        self._paths.sort(key=lambda each: each[1].count("{"))

    def problems(self, asked: Asked) -> list[str]:
        """What GitHub's description says against a request and its answer; empty: nothing."""
        for pattern, name, item in self._paths:
            found = pattern.match(asked.path)
            if found and asked.method.lower() in item:
                operation = item[asked.method.lower()]
                values = dict(zip(re.findall(r"\{([^}]+)\}", name), found.groups(), strict=True))
                return [
                    *self._parameters(operation, values, asked.query),
                    *self._body(operation, asked.body),
                    *self._answer(operation, asked),
                ]
        return [f"{asked.method} {asked.path} does not exist"]

    def _parameters(self, operation: dict[str, Any], path: dict[str, str], query: dict[str, str]) -> list[str]:
        known = {(p["in"], p["name"]): p for p in map(self._resolved, operation.get("parameters", []))}
        given = {("path", name): text for name, text in path.items()}
        given |= {("query", name): text for name, text in query.items()}
        wrong = [f"the parameter {name} is not known" for name in given.keys() - known.keys()]
        for name, parameter in known.items():
            if name not in given:
                wrong += [f"the parameter {name} is missing"] if parameter.get("required") else []
                continue
            schema = self._resolved(parameter["schema"])
            kind = schema.get("type")
            text = given[name]
            value: Any = int(text) if kind == "integer" and text.isdigit() else text
            wrong += self._errors(schema, value, f"parameter {name}")
        return wrong

    def _body(self, operation: dict[str, Any], body: Any) -> list[str]:
        wanted = self._resolved(operation.get("requestBody", {}))
        if body is None:
            return ["the body is missing"] if wanted.get("required") else []
        if not wanted:
            return ["there is a body"]
        schema = self._resolved(wanted["content"]["application/json"]["schema"])
        named = self._properties(schema)
        wrong = [f"the field {name} is not known" for name in body if named and name not in named]
        return wrong + self._errors(schema, body, "body")

    def _answer(self, operation: dict[str, Any], asked: Asked) -> list[str]:
        if asked.status == 401 or str(asked.status) not in operation["responses"]:
            return [] if asked.status == 401 else [f"status {asked.status} is not foreseen"]
        response = self._resolved(operation["responses"][str(asked.status)])
        content = response.get("content", {}).get("application/json")
        return [] if content is None else self._errors(_loosened(content["schema"]), asked.answer, "answer", loose=True)

    def _errors(self, schema: Any, value: Any, where: str, *, loose: bool = False) -> list[str]:
        components = _loosened(self._document["components"]) if loose else self._document["components"]
        validator = jsonschema.Draft202012Validator({"allOf": [schema], "components": components})
        return [f"{where}: {error.message[:200]} at {list(error.path)}" for error in validator.iter_errors(value)]

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        parts = [schema, *(self._resolved(p) for name in ("allOf", "anyOf", "oneOf") for p in schema.get(name, []))]
        return {name for part in parts for name in part.get("properties", {})}

    def _resolved(self, found: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in found:
            target: Any = self._document
            for name in found["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            found = target
        return found


def _modern(node: Any) -> None:
    """``nullable`` of OpenAPI 3.0 in the words of JSON Schema."""
    if isinstance(node, dict):
        if node.pop("nullable", False) is True:
            if isinstance(node.get("type"), str):
                node["type"] = [node["type"], "null"]
            if isinstance(node.get("enum"), list) and None not in node["enum"]:
                node["enum"].append(None)
        for value in node.values():
            _modern(value)
    elif isinstance(node, list):
        for value in node:
            _modern(value)


_LOOSE: dict[int, tuple[Any, Any]] = {}
"""By identity; what was loosened is kept with it, so that no identity is used a second time."""


def _loosened(node: Any) -> Any:
    """Without what is required: a fake tells less."""
    if id(node) not in _LOOSE:
        if isinstance(node, dict):
            made: Any = {
                name: _loosened(value)
                for name, value in node.items()
                if not (name == "required" and isinstance(value, list))
            }
        else:
            made = [_loosened(value) for value in node] if isinstance(node, list) else node
        if not isinstance(node, dict | list):
            return made
        _LOOSE[id(node)] = (node, made)
    return _LOOSE[id(node)][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the unpacked package")
    parser.add_argument("--versions", default="api.github.com,ghec,ghes-3.17,ghes-3.18,ghes-3.19")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asked = asyncio.run(conversation())
    distinct = list({json.dumps([a.method, a.path, a.query, a.body, a.status, a.answer]): a for a in asked}.values())
    operations = Counter(f"{each.method} {re.sub(r'[0-9a-f]{7,}|[0-9]+', 'N', each.path)}" for each in asked)
    problems = []
    versions = [name for name in given.versions.split(",") if name]
    for name in versions:
        description = Description(given.data / "package" / "generated" / f"{name}.json")
        for each in distinct:
            problems += [f"{name} {each.method} {each.path}: {problem}" for problem in description.problems(each)]
    figures = {
        "requests": len(asked),
        "distinct": len(distinct),
        "operations": len(operations),
        "descriptions": len(versions),
        "problems": problems,
        "asked": dict(operations),
    }
    for problem in problems:
        print(problem)
    emit("GitHub's contract", figures, as_json=given.json)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
