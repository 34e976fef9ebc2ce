"""Every address of the server x every role x own and foreign product: who is let in, and whether anything leaks.

    python -m benchmarks.access_matrix --json

Expected is what ``access_matrix.toml`` says. A leak is a word of the foreign product, or an identifier of its runs and
tasks, in any answer to somebody who may not see it (also in refusals, counts, searches and streams); a foreign thing
that is answered otherwise than one that does not exist; or an answer that changes when only foreign things did.
"""

import argparse
import asyncio
import logging
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from benchmarks.access_world import FOREIGN, OWN, Answered, Identity, Product, ask, identities, product, settings_for
from benchmarks.common import emit
from karkhana.domain.access import EVERYTHING, Principal, Role
from karkhana.domain.errors import InvalidInput
from karkhana.factory.stores import Stores, open_stores
from karkhana.web.api.operations import OPERATIONS
from karkhana.web.app import dashboard

NONE = "run_00000000000000000000000000", "BUILD-2026-01-01-001", "nothing"
"""Identifiers of nothing: a run, a task, a product."""
FILLED = {"seq:int": "1", "seq": "1", "tab": "trail", "scope": "all", "period": "day", "secret": "s1", "call": "c1"}
REFUSED = b"needs the role"
MOVING = re.compile(rb"\d+(\.\d+)?( ?m?s| min| h| d)\b( \d+ (s|min|h)\b)?|[0-9:T.-]{8,}Z?|csrf\" value=\"[^\"]*")
"""What differs from one second to the next, also when a minute is over between the two."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is expected of one route."""

    of: Literal["nobody", "some", "run", "task", "product", "body", "own", "all", "machine", "one"]
    role: Role = Role.VIEWER
    json: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    query: str = ""


class Figures(msgspec.Struct):
    """What was measured."""

    routes: int = 0
    combinations: int = 0
    without_entry: list[str] = []
    wrong: list[str] = []
    leaks: list[str] = []


def expected() -> dict[str, Entry]:
    """By method and path."""
    text = Path(__file__).with_suffix(".toml").read_text()
    return msgspec.convert(tomllib.loads(text)["routes"], dict[str, Entry])


def routes_of(app: Starlette) -> list[str]:
    """Every method and path that the server answers; reading ones first, as others change what is read."""
    found = ["GET /metrics", *(f"{each.method} /api/v1{each.path}" for each in OPERATIONS)]
    for route in app.routes:
        if isinstance(route, Route):
            found += [f"{method} {route.path}" for method in sorted((route.methods or set()) - {"HEAD"})]
        elif not (isinstance(route, Mount) and route.path == "/api"):
            found.append(f"? {route}")
    # signing out ends the sessions that all others use
    return sorted(found, key=lambda each: (each == "POST /leave", not each.startswith("GET"), each))


class Matrix:
    """One server over one world."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores = stores
        self.folder = folder
        self.products = {name: product(stores, folder, name) for name in (OWN, FOREIGN)}
        self.nothing = Product(NONE[2], NONE[0], NONE[1])
        self.app = self.server()
        self.identities = identities(stores, self.app.state.site.threshold.visitors.find)
        self.figures = Figures()

    def server(self) -> Starlette:
        """A new one over the same stores: nothing is remembered from before."""
        return dashboard(self.stores, account="asha", port=443, answering=_deciding)

    async def measure(self) -> Figures:
        """All combinations, and then what foreign changes change."""
        entries, routes = expected(), routes_of(self.app)
        self.figures.routes = len(routes)
        self.figures.without_entry = sorted(set(routes) ^ set(entries))
        known = [route for route in routes if route in entries]
        await self._unmoved([route for route in known if route.startswith("GET") and entries[route].of == "some"])
        for route in known:
            for identity in self.identities:
                await self._route(route, entries[route], identity)
        return self.figures

    async def _route(self, route: str, entry: Entry, identity: Identity) -> None:
        if entry.of not in ("run", "task", "product", "body"):
            answer = await self._asked(route, entry, identity, self.products[OWN])
            self._judge(route, entry, identity, answer, self.products[OWN])
            return
        for each in self.products.values():
            answer = await self._asked(route, entry, identity, each)
            self._judge(route, entry, identity, answer, each)
            if not _principal(identity).may(Role.VIEWER, each.name):
                other = await self._asked(route, entry, identity, self.nothing)
                if _anonymous(answer, each) != _anonymous(other, self.nothing):
                    self.figures.leaks.append(f"{route} {identity.name}: a foreign one is not answered as none is")

    async def _asked(self, route: str, entry: Entry, identity: Identity, about: Product) -> Answered:
        method, path = route.split(" ", 1)
        named = {**FILLED, "run_id": about.run_id, "task_id": about.task_id, "product": about.name}
        if path.startswith("/quality"):
            named["tab"] = "failures"
        named["name"] = "app.css" if path.startswith("/static") else "plain"
        target = re.sub(r"\{([^}]+)\}", lambda found: named.get(found[1], "x1"), path)
        body = None if entry.json is None else {name: _filled(value, about) for name, value in entry.json.items()}
        target += f"?{entry.query}" if entry.query else ""
        return await ask(self.app, identity, method, target, form=entry.form, body=body)

    def _judge(self, route: str, entry: Entry, identity: Identity, answer: Answered, about: Product) -> None:
        self.figures.combinations += 1
        place = f"{route} {identity.name} {about.name}: {answer.status}"
        if not _as_expected(route, entry, identity, answer, about):
            self.figures.wrong.append(place)
        if not _principal(identity).may(Role.VIEWER, FOREIGN):
            foreign = self.products[FOREIGN]
            # what somebody asked for by its name may be named back to them
            words = [FOREIGN.encode()] if FOREIGN not in entry.query and about is not foreign else []
            words += [foreign.run_id.encode(), foreign.task_id.encode()] if about is not foreign else [b"zebra.py"]
            told = answer.body.lower() + str(answer.headers).lower().encode()
            if any(word.lower() in told for word in words):
                self.figures.leaks.append(place)

    async def _unmoved(self, routes: list[str]) -> None:
        """Lists, counts and figures stay as they are for whoever may not see what is new."""
        entries = expected()
        readers = [each for each in self.identities if each.roles and not _principal(each).may(Role.VIEWER, FOREIGN)]
        seen = {}
        for turn in range(2):
            for route in routes:
                for identity in readers:
                    answer = await self._asked(route, entries[route], identity, self.products[OWN])
                    found = (answer.status, MOVING.sub(b"", answer.body))
                    if turn == 0:
                        seen[route, identity.name] = found
                    elif seen[route, identity.name] != found and not route.startswith(
                        ("GET /audit", "GET /api/v1/aud")
                    ):
                        self.figures.leaks.append(f"{route} {identity.name}: told of what is new elsewhere")
            if turn == 0:
                for _ in range(2):
                    product(self.stores, self.folder, FOREIGN)
                self.app = self.server()


def _principal(identity: Identity) -> Principal:
    return Principal(name=identity.name, roles=dict(identity.roles), approves=identity.via != "token")


def _as_expected(route: str, entry: Entry, identity: Identity, answer: Answered, about: Product) -> bool:
    principal, api = _principal(identity), "/api/" in route
    status = answer.status
    if entry.of == "nobody":
        # 502: the provider of this world is away
        return status not in (401, 403) and (status < 500 or (status, route) == (502, "GET /signin"))
    if entry.of == "one":
        return status in (401, 404)
    if entry.of == "machine":
        return status == 403
    if not identity.via or (identity.via == "token" and not api):
        return status == 401
    if entry.of == "some":
        return _some(principal, entry, answer, api=api)
    if entry.of == "own":
        may = principal.products(Role.VIEWER if identity.via == "session" else Role.ADMIN) != (False, frozenset())
        nothing = status in (403, 404) or b'"items":[]' in answer.body
        return status not in (401, 403) and status < 500 if may else nothing
    if entry.of == "all":
        may = principal.may(entry.role, EVERYTHING)
        return status not in (401, 403) and status < 500 if may else status in (403, 404)
    if not principal.may(Role.VIEWER, about.name):
        return status == 404 or (status == 403 and entry.of == "body" and not principal.may(entry.role, OWN))
    refused = status == 403 or (status == 303 and REFUSED in answer.headers["location"].replace("+", " ").encode())
    return (
        not refused and status not in (401, 404) and status < 500 if principal.may(entry.role, about.name) else refused
    )


def _some(principal: Principal, entry: Entry, answer: Answered, *, api: bool) -> bool:
    if principal.products(entry.role) != (False, frozenset()):
        return answer.status in (200, 303)
    return answer.status in (403, 404) or (api and b'"items":[]' in answer.body)


def _anonymous(answer: Answered, about: Product) -> tuple[int, bytes]:
    body = answer.body
    for word in (about.run_id, about.task_id, about.name):
        body = body.replace(word.encode(), b"-")
    return answer.status, MOVING.sub(b"", body)


def _filled(value: Any, about: Product) -> Any:
    return (
        {"PRODUCT": about.name, "TASK": about.task_id, "HASH": "0" * 64}.get(value, value)
        if isinstance(value, str)
        else value
    )


def _deciding(*_words: Any, **_more: Any) -> Any:
    raise InvalidInput("nothing is decided here", "ask elsewhere")


def measured(folder: Path) -> Figures:
    """In a new world below ``folder``."""
    with open_stores(settings_for(folder)) as stores:
        return asyncio.run(Matrix(stores, folder).measure())


def _told(figures: Figures) -> Iterator[str]:
    yield from (f"without an entry: {each}" for each in figures.without_entry)
    yield from (f"wrong: {each}" for each in figures.wrong)
    yield from (f"leak: {each}" for each in figures.leaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="Not used: the world is made anew.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder))
    for line in _told(figures):
        print(line)
    emit("authorisation matrix", msgspec.to_builtins(figures), as_json=asked.json)
    raise SystemExit(1 if any(_told(figures)) else 0)


if __name__ == "__main__":
    main()
