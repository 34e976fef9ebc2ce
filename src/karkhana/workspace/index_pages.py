"""Pages of a package index, taken apart and put together again with links of our own. Pure.

Both forms of the simple repository API are understood (HTML and JSON, https://peps.python.org/pep-0691/). Only what
an installer needs is passed on: file name, link, hash, needed Python, yanked, metadata.

>>> page = b'<a href="../../f/a-1.0.tar.gz#sha256=00">a-1.0.tar.gz</a>'
>>> files = parse("file:///x/simple/a/", "text/html", page)
>>> files[0].url, files[0].fragment
('file:///x/f/a-1.0.tar.gz', 'sha256=00')
"""

import html
import json
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.2"
_ATTRIBUTES = ("data-requires-python", "data-dist-info-metadata", "data-core-metadata", "data-yanked")


class LinkedFile(msgspec.Struct, frozen=True):
    """One file that a page offers."""

    name: str
    url: str
    """Absolute, without fragment."""
    fragment: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    """Of the HTML form."""


def parse(url: str, content_type: str, page: bytes) -> tuple[LinkedFile, ...]:
    """The files that the page at ``url`` links to. Raises ``ValueError`` when it cannot be read."""
    if "json" in content_type:
        return tuple(_from_json(url, page))
    reader = _Reader(url)
    reader.feed(page.decode("utf-8", "replace"))
    return tuple(reader.files)


def render(files: tuple[LinkedFile, ...], link: Callable[[LinkedFile], str]) -> bytes:
    """An HTML page of the files, each at ``link(file)``."""
    rows = []
    for file in files:
        target = link(file) + (f"#{file.fragment}" if file.fragment else "")
        attributes = "".join(f' {key}="{html.escape(value)}"' for key, value in file.attributes)
        rows.append(f'<a href="{html.escape(target)}"{attributes}>{html.escape(file.name)}</a><br>')
    body = "\n".join(rows)
    return f"<!DOCTYPE html><html><body>\n{body}\n</body></html>\n".encode()


def _from_json(url: str, page: bytes) -> list[LinkedFile]:
    data: Any = json.loads(page)
    found = []
    for item in data["files"]:
        target, _ = urldefrag(urljoin(url, item["url"]))
        hashes = item.get("hashes") or {}
        best = "sha256" if "sha256" in hashes else next(iter(hashes), None)
        attributes = []
        if item.get("requires-python"):
            attributes.append(("data-requires-python", str(item["requires-python"])))
        if item.get("yanked"):
            attributes.append(("data-yanked", str(item["yanked"])))
        metadata = item.get("core-metadata") or item.get("dist-info-metadata")
        if metadata:
            value = f"sha256={metadata['sha256']}" if isinstance(metadata, dict) and "sha256" in metadata else "true"
            attributes.append(("data-core-metadata", value))
        fragment = f"{best}={hashes[best]}" if best else ""
        found.append(LinkedFile(str(item["filename"]), target, fragment, tuple(attributes)))
    return found


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.files: list[LinkedFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "base" and values.get("href"):
            self._base = urljoin(self._base, values["href"])
        if tag != "a" or not values.get("href"):
            return
        target, fragment = urldefrag(urljoin(self._base, values["href"].strip()))
        name = unquote(urlsplit(target).path.rpartition("/")[2])
        if name:
            kept = tuple((key, values[key]) for key in _ATTRIBUTES if key in values)
            self.files.append(LinkedFile(name, target, fragment, kept))
