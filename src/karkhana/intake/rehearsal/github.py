"""GitHub's REST API as far as answers need it, in memory. Knows what it takes, and refuses everything else.

A body with a field that GitHub does not name, or with one of the wrong type, is answered with 422 as there.
"""

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from karkhana.intake.rehearsal.serving import Fake

TOKEN_HOLDS = timedelta(hours=1)


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """Base of what is taken."""


class CommentBody(_Body):
    body: str


class ReactionBody(_Body):
    content: str


class LabelsBody(_Body):
    labels: list[str]


class TokenBody(_Body):
    repositories: list[str] = []


class OutputBody(_Body):
    title: str
    summary: str


class CheckBody(_Body, kw_only=True):
    name: str = ""
    head_sha: str = ""
    external_id: str = ""
    status: str = ""
    conclusion: str = ""
    output: OutputBody | None = None


class PullBody(_Body, kw_only=True):
    title: str
    head: str
    base: str
    body: str = ""
    maintainer_can_modify: bool = False


class FakeGitHub(Fake):
    """All repositories; issues are there as soon as somebody speaks of them."""

    def __init__(
        self,
        *,
        app: str = "",
        public_key: str = "",
        token: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Lets in whoever has ``token``, or a token that it gave to the App whose JWT ``public_key`` verifies."""
        super().__init__()
        self.comments: dict[int, dict[str, Any]] = {}
        self.reactions: set[tuple[str, str]] = set()
        self.checks: dict[int, dict[str, Any]] = {}
        self.pulls: list[dict[str, Any]] = []
        self.labels: dict[str, set[str]] = {}
        self.tokens: dict[str, str] = {token: "*"} if token else {}
        """Token → the repository that it is for."""
        self.missing: set[str] = set()
        """Paths that are not there."""
        self._app = app
        self._clock = clock
        self._public_key = public_key
        self._numbers = itertools.count(1)

    def program(self) -> Starlette:
        place = "/repos/{owner}/{repo}"
        return Starlette(
            routes=[
                self._route("GET", f"{place}/installation", self._installation),
                self._route("POST", "/app/installations/{number:int}/access_tokens", self._token),
                self._route("GET", place, self._repository),
                self._route("GET", f"{place}/issues/{{number:int}}", self._issue),
                self._route("GET", f"{place}/issues/{{number:int}}/comments", self._list),
                self._route("POST", f"{place}/issues/{{number:int}}/comments", self._comment),
                self._route("PATCH", f"{place}/issues/comments/{{number:int}}", self._edit),
                self._route("POST", f"{place}/issues/comments/{{number:int}}/reactions", self._react),
                self._route("POST", f"{place}/issues/{{number:int}}/reactions", self._react),
                self._route("POST", f"{place}/issues/{{number:int}}/labels", self._label),
                self._route("DELETE", f"{place}/issues/{{number:int}}/labels/{{name}}", self._unlabel),
                self._route("GET", f"{place}/commits/{{sha}}/check-runs", self._list_checks),
                self._route("POST", f"{place}/check-runs", self._check),
                self._route("PATCH", f"{place}/check-runs/{{number:int}}", self._check_again),
                self._route("GET", f"{place}/pulls", self._list_pulls),
                self._route("POST", f"{place}/pulls", self._pull),
            ]
        )

    def bodies(self) -> list[str]:
        """All comments, the oldest first."""
        return [comment["body"] for comment in self.comments.values()]

    def _route(self, method: str, path: str, act: Any) -> Route:
        async def handle(request: Request) -> Response:
            async def carry_out(body: Any) -> Response:
                # an App shows its JWT for these two, and a token for all others
                apart = path.endswith(("/installation", "/access_tokens"))
                if not (self._is_app(request) if apart else self._is_known(request)):
                    return JSONResponse({"message": "Bad credentials"}, 401)
                if request.url.path in self.missing:
                    return JSONResponse({"message": "Not Found"}, 404)
                try:
                    response: Response = act(request, body)
                    return response
                except msgspec.ValidationError as error:
                    return JSONResponse({"message": f"Validation Failed: {error}"}, 422)

            return await self.answered(request, carry_out)

        return Route(path, handle, methods=[method])

    def _is_app(self, request: Request) -> bool:
        signed = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(signed, RSAKey.import_key(self._public_key), algorithms=["RS256"]).claims
        except (ValueError, JoseError):
            return False
        now = self._clock()
        return bool(claims["iss"] == self._app and claims["iat"] <= now < claims["exp"] <= now + 600)

    def _is_known(self, request: Request) -> bool:
        mine = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return mine in ("*", request.path_params.get("repo"))

    def _installation(self, _request: Request, _body: Any) -> Response:
        return JSONResponse({"id": 77})

    def _token(self, _request: Request, body: Any) -> Response:
        named = msgspec.convert(body or {}, TokenBody).repositories
        token = f"ghs_{next(self._numbers)}"
        self.tokens[token] = named[0] if named else "*"
        until = (datetime.fromtimestamp(self._clock(), UTC) + TOKEN_HOLDS).strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse({"token": token, "expires_at": until, "permissions": {"issues": "write"}}, 201)

    def _repository(self, request: Request, _body: Any) -> Response:
        return JSONResponse({"full_name": _place(request), "default_branch": "main"})

    def _issue(self, request: Request, _body: Any) -> Response:
        number = request.path_params["number"]
        labels = [{"name": name} for name in sorted(self.labels.get(_key(request), ()))]
        return JSONResponse({"number": number, "labels": labels})

    def _list(self, request: Request, _body: Any) -> Response:
        size, page = int(request.query_params.get("per_page", "30")), int(request.query_params.get("page", "1"))
        found = [each for each in self.comments.values() if each["issue_url"].endswith(_key(request))]
        return JSONResponse(found[(page - 1) * size : page * size])

    def _comment(self, request: Request, body: Any) -> Response:
        given, number = msgspec.convert(body, CommentBody), next(self._numbers)
        issue = f"https://api.github.test/repos/{_place(request)}/issues/{request.path_params['number']}"
        self.comments[number] = {"id": number, "body": given.body, "issue_url": issue}
        return JSONResponse(self.comments[number], 201)

    def _edit(self, request: Request, body: Any) -> Response:
        given, comment = msgspec.convert(body, CommentBody), self.comments.get(request.path_params["number"])
        if comment is None:
            return JSONResponse({"message": "Not Found"}, 404)
        comment["body"] = given.body
        return JSONResponse(comment)

    def _react(self, request: Request, body: Any) -> Response:
        given = msgspec.convert(body, ReactionBody)
        if given.content not in ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"):
            return JSONResponse({"message": "Validation Failed"}, 422)
        mark = (request.url.path.removesuffix("/reactions"), given.content)
        status = 200 if mark in self.reactions else 201
        self.reactions.add(mark)
        return JSONResponse({"id": 1, "content": given.content}, status)

    def _label(self, request: Request, body: Any) -> Response:
        borne = self.labels.setdefault(_key(request), set())
        borne.update(msgspec.convert(body, LabelsBody).labels)
        return JSONResponse([{"name": name} for name in sorted(borne)])

    def _unlabel(self, request: Request, _body: Any) -> Response:
        borne = self.labels.get(_key(request), set())
        if request.path_params["name"] not in borne:
            return JSONResponse({"message": "Label does not exist"}, 404)
        borne.remove(request.path_params["name"])
        return JSONResponse([{"name": name} for name in sorted(borne)])

    def _list_checks(self, request: Request, _body: Any) -> Response:
        named = request.query_params.get("check_name")
        sha = request.path_params["sha"]
        found = [run for run in self.checks.values() if run["head_sha"] == sha and named in (None, run["name"])]
        return JSONResponse({"total_count": len(found), "check_runs": found})

    def _check(self, _request: Request, body: Any) -> Response:
        given = msgspec.convert(body, CheckBody)
        if not given.name or not given.head_sha:
            return JSONResponse({"message": "Validation Failed"}, 422)
        number = next(self._numbers)
        self.checks[number] = {"id": number, **_told(body)}
        return JSONResponse(self.checks[number], 201)

    def _check_again(self, request: Request, body: Any) -> Response:
        msgspec.convert(body, CheckBody)
        run = self.checks.get(request.path_params["number"])
        if run is None:
            return JSONResponse({"message": "Not Found"}, 404)
        run |= _told(body)
        return JSONResponse(run)

    def _list_pulls(self, request: Request, _body: Any) -> Response:
        wanted = request.query_params.get("head", "").partition(":")[2]
        return JSONResponse([pull for pull in self.pulls if not wanted or pull["head"]["ref"] == wanted])

    def _pull(self, request: Request, body: Any) -> Response:
        given, number = msgspec.convert(body, PullBody), next(self._numbers)
        if any(pull["head"]["ref"] == given.head for pull in self.pulls):
            return JSONResponse({"message": "Validation Failed: a pull request already exists"}, 422)
        url = f"https://github.test/{_place(request)}/pull/{number}"
        made = {"number": number, "html_url": url, "title": given.title, "body": given.body}
        self.pulls.append({**made, "head": {"ref": given.head}, "base": {"ref": given.base}})
        return JSONResponse(self.pulls[-1], 201)


def _told(body: dict[str, Any]) -> dict[str, Any]:
    completed = {"conclusion": body.get("conclusion")}
    return {name: value for name, value in body.items() if name != "output"} | completed


def _place(request: Request) -> str:
    return f"{request.path_params['owner']}/{request.path_params['repo']}"


def _key(request: Request) -> str:
    return f"{_place(request)}/issues/{request.path_params['number']}"
