"""What applications are asked gets into a HAR file, and secrets do not."""

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from karkhana.quality.traffic.recordings import from_har
from karkhana.recording import HarFile, RecordAsgi, RecordWsgi
from karkhana.recording.redaction import Redaction

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def recorded(path: Path) -> list[dict[str, Any]]:
    return [entry["request"] for entry in json.loads(path.read_text())["log"]["entries"]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": body})


def ask_asgi(app: RecordAsgi, body: bytes = b"", *, kind: bytes = b"application/json", query: bytes = b"") -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", kind), (b"authorization", b"Bearer abc"), (b"cookie", b"sid=1; theme=dark")]
    scope = {"type": "http", "method": "POST", "path": "/a b", "raw_path": b"/a%20b", "query_string": query}
    asyncio.run(app({**scope, "headers": headers}, receive, send))
    return sent


def ask_wsgi(app: RecordWsgi, body: bytes, **more: str) -> bytes:
    environ: Any = {
        "REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/api", "PATH_INFO": "/x", "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(body), **more,
    }  # fmt: skip
    return b"".join(app(environ, lambda status, headers: None))


def test_an_asgi_application_is_recorded_and_answers_as_ever(tmp_path: Path) -> None:
    har = HarFile(tmp_path / "deep" / "a.har")
    sent = ask_asgi(RecordAsgi(echo, har), b'{"name": "tea", "api-key": "x"}', query=b"q=1&access_token=abc")
    assert [m.get("body", m.get("status")) for m in sent] == [201, b'{"name": "tea", "api-key": "x"}']
    har.close()
    (request,) = recorded(tmp_path / "deep" / "a.har")
    assert request["url"] == "http://localhost/a%20b?q=1&access_token=%5Bredacted%5D"
    assert json.loads(request["postData"]["text"]) == {"name": "tea", "api-key": "[redacted]"}
    headers = {h["name"]: h["value"] for h in request["headers"]}
    assert headers["authorization"] == "[redacted]"
    assert headers["cookie"] == "sid=[redacted]; theme=[redacted]"
    (read,) = from_har("a.har", (tmp_path / "deep" / "a.har").read_bytes())
    assert (read.method, read.path) == ("POST", "/a%20b")
    assert [name for name, _ in read.headers] == ["content-type", "cookie"]


def test_a_wsgi_application_is_recorded_and_still_gets_its_body(tmp_path: Path) -> None:
    har = HarFile(tmp_path / "w.har", most=1)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    recording = RecordWsgi(app, har)
    assert ask_wsgi(recording, b"[1]", HTTP_X_API_KEY="secret") == b"[1]"
    assert ask_wsgi(recording, b"[2]") == b"[2]"
    (request,) = recorded(tmp_path / "w.har")  # full, so it is written already
    assert (request["method"], request["url"], request["postData"]["text"]) == ("PUT", "http://localhost/api/x", "[1]")
    assert "secret" not in (tmp_path / "w.har").read_text()


@pytest.mark.parametrize(
    ("kind", "body", "kept"),
    [
        ("application/json", b'{"a": {"pin": 3, "note": "' + TOKEN.encode() + b'"}}', True),
        ("application/x-www-form-urlencoded", b"a=1&password=hunter2", True),
        ("application/octet-stream", b"\x00\x01", False),
        ("application/json", b"{hunter2", False),
        ("text/plain", b"card 4111 1111 1111 1111 hunter1", True),
        ("application/json", b"", True),
        ("application/json", b'{"accessKey": "hunter2", "card": {"cardNumber": 12}, "number": 4111111111111111}', True),
        ("application/json", b'{"next": "https://a/b?page=2&reset_token=hunter2#access_token=hunter2"}', True),
        ("application/x-www-form-urlencoded", b"a=1;token=hunter2", True),
        ("application/json", b'{"note": "\\ud800 hunter2"}', False),
    ],
)
def test_bodies(kind: str, body: bytes, kept: bool) -> None:
    text = Redaction().body(kind, body)
    assert (text is not None) == kept
    for secret in ("hunter2", TOKEN, '"pin": 3', "4111"):
        assert secret not in (text or "")


def test_addresses_in_headers_hold_secrets_too() -> None:
    redaction = Redaction()
    shown = redaction.header("Referer", "https://ann:hunter2@shop.example/new?q=tea&token=hunter2")
    assert shown == "https://[redacted]@shop.example/new?q=tea&token=[redacted]"
    assert redaction.header("Accept", "text/html;q=0.9,*/*;q=0.8") == "text/html;q=0.9,*/*;q=0.8"


def test_a_body_that_no_file_can_hold_stops_nobody(tmp_path: Path) -> None:
    har = HarFile(tmp_path / "a.har")
    sent = ask_asgi(RecordAsgi(echo, har), b'{"name": "\\ud800"}')
    assert sent[0]["status"] == 201
    har.close()
    assert not (tmp_path / "a.har").exists()


def test_names_of_ones_own_and_innocent_ones() -> None:
    redaction = Redaction(["Taxpayer"])
    assert redaction.is_secret("x-taxpayer-id")
    assert redaction.is_secret("PIN")
    assert not redaction.is_secret("shipping")
    assert not redaction.is_secret("not_paid")
    assert redaction.query("b=2&c=x%20y") == "b=2&c=x%20y"


def test_a_file_that_cannot_be_written_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    har = HarFile(tmp_path / "file" / "a.har", every=1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert ask_asgi(RecordAsgi(echo, har))[0]["status"] == 201
    assert len(caplog.records) == 1
    har.close()
