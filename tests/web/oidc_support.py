"""An OpenID provider on loopback with real keys, which can be told to do wrong; and a team's dashboard before it."""

import base64
import hashlib
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwk, jwt

CLIENT, SECRET = "karkhana", "s3cret/with+odd:chars"
PUBLIC = "https://karkhana.test"


class FakeProvider:
    """What the provider knows, and what it is told to do wrong."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.keys: dict[str, Any] = {"first": jwk.generate_key("RSA", 2048, {"kid": "first"})}
        self.reset()

    def reset(self) -> None:
        """As new, with the first key as it was: making one takes long."""
        self.keys = {"first": self.keys["first"]}
        self.published, self.signs_with, self.algorithm = ["first"], "first", "RS256"
        self.person: dict[str, Any] = {
            "sub": "s-1",
            "email": "asha@example.org",
            "email_verified": True,
            "groups": ["developers"],
        }
        self.userinfo: dict[str, Any] | None = None
        self.spoil: Callable[[dict[str, Any]], object] = lambda _claims: None
        self.token_of: Callable[[dict[str, Any]], str] = self.signed
        self.metadata: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def add_key(self, name: str, kind: str, size: int | str) -> None:
        self.keys[name] = jwk.generate_key(kind, size, {"kid": name})
        self.published.append(name)

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.keys[self.signs_with]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, claims, key, [self.algorithm])

    def authorize(self, address: str) -> str:
        """What a browser does there once somebody has signed in: the address that it is sent back to."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{PUBLIC}/signin/done"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        pair = ":".join(urllib.parse.quote(each, safe="") for each in (CLIENT, SECRET))
        if authorization != "Basic " + base64.b64encode(pair.encode()).decode():
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or challenge.decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        claims = {"iss": self.issuer, "aud": CLIENT, "exp": int(time.time()) + 300, "iat": int(time.time())}
        claims |= {"nonce": asked["nonce"], **self.person}
        self.spoil(claims)
        return 200, {"id_token": self.token_of(claims), "access_token": "at-1", "token_type": "Bearer"}

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            found = {name: f"{self.issuer}/{place}" for name, place in names.items()}
            if self.userinfo is not None:
                found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
            return 200, {"issuer": self.issuer, **found, **self.metadata}
        if path == "/keys":
            return 200, {"keys": [self.keys[name].as_dict(private=False) for name in self.published]}
        if path == "/userinfo" and authorization == "Bearer at-1":
            return 200, self.userinfo or {}
        return self.exchange(form, authorization) if path == "/token" else (404, {})


@contextmanager
def provider() -> Iterator[FakeProvider]:
    """Serves until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer(dict(urllib.parse.parse_qsl(body)))

        def _answer(self, form: dict[str, str]) -> None:
            status, told = made.answer(self.path, form, self.headers.get("authorization", ""))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = FakeProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
