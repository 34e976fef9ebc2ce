"""Fetches from package indexes on behalf of a sandbox: over http, https or from local folders.

Knows the host's certificates, upstream proxies and credentials. Knows nothing of who asks.
"""

import base64
import http.client
import io
import ssl
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit

import msgspec

from karkhana.workspace.index_settings import IndexSettings

TIME_LIMIT_S = 60.0
PAGE_MAX = 64 << 20
"""Bytes of an index page."""
_LINKABLE = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


class Unreachable(Exception):
    """The index did not answer; the message is for a person and holds no credentials."""


class Answer(msgspec.Struct):
    """What an index said. ``body`` must be closed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: IO[bytes]
    url: str
    """Where the answer came from, after redirects."""


class Upstream:
    """Opens URLs with the settings of this host. May be used from several threads."""

    def __init__(self, settings: IndexSettings) -> None:
        context = ssl.create_default_context(cafile=settings.certificates)
        self._strict = _opener(context)
        self._trusting = _opener(_unchecked()) if settings.trusted_hosts else self._strict
        self._trusted = settings.trusted_hosts

    def open(self, url: str, login: tuple[str, str] | None, headers: Mapping[str, str]) -> Answer:
        """GET ``url``. Raises ``Unreachable``; an answer with a bad status is an answer."""
        if url.startswith("file:"):
            return _from_disk(url)
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - a configured index, or a link of one
        if login is not None:
            # not sent on to another host that the index redirects to
            request.add_unredirected_header("Authorization", _basic(login))
        opener = self._trusting if urlsplit(url).hostname in self._trusted else self._strict
        try:
            response = opener.open(request, timeout=TIME_LIMIT_S)
        except urllib.error.HTTPError as error:
            return Answer(error.code, _lower(error.headers), io.BytesIO(), url)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(f"{urlsplit(url).hostname}: {reason}") from error
        return Answer(response.status, _lower(response.headers), response, response.url)

    def page(self, url: str, login: tuple[str, str] | None, accept: str) -> tuple[Answer, bytes]:
        """GET a page, unpacked, of at most ``PAGE_MAX`` bytes."""
        answer = self.open(url, login, {"Accept": accept, "Accept-Encoding": "gzip"})
        with answer.body as body:
            try:
                data = body.read(PAGE_MAX + 1)
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"{urlsplit(url).hostname}: {error}") from error
        if answer.headers.get("content-encoding") == "gzip":
            data = _unpack(url, data)
        if len(data) > PAGE_MAX:
            raise Unreachable(f"{urlsplit(url).hostname}: a page has more than {PAGE_MAX} bytes")
        return answer, data


def _opener(context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    # only these: no file:, ftp: or data: by way of a redirect
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "karkhana")]
    return opener


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


def _lower(headers: Message) -> dict[str, str]:
    return {key.lower(): value for key, value in headers.items()}


def _unpack(url: str, data: bytes) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        return unpacker.decompress(data, PAGE_MAX + 1)
    except zlib.error as error:
        raise Unreachable(f"{urlsplit(url).hostname}: the page is no valid gzip") from error


def _from_disk(url: str) -> Answer:
    path = Path(unquote(urlsplit(url).path))
    try:
        if path.is_dir():
            return _folder(path, url)
        size = path.stat().st_size
        return Answer(200, {"content-length": str(size), "content-type": _kind(path)}, path.open("rb"), url)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Answer(404, {}, io.BytesIO(), url)
    except OSError as error:
        raise Unreachable(f"{path}: {error.strerror}") from error


def _folder(path: Path, url: str) -> Answer:
    index = path / "index.html"
    if index.is_file():
        return Answer(200, {"content-type": "text/html"}, index.open("rb"), url.rstrip("/") + "/")
    names = sorted(entry.name for entry in path.iterdir() if entry.name.endswith(_LINKABLE))
    page = "".join(f'<a href="{quote(name)}">x</a>\n' for name in names)
    return Answer(200, {"content-type": "text/html"}, io.BytesIO(page.encode()), url.rstrip("/") + "/")


def _kind(path: Path) -> str:
    return "text/html" if path.suffix in (".html", ".htm") else "application/octet-stream"
