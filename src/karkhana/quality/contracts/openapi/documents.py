"""Reads OpenAPI descriptions that nobody vouches for, and follows their references.

YAML goes through PyYAML's safe loader, JSON through msgspec. What is too large, too deep or grows without bound by
aliases is refused before anything walks over it. A reference is followed inside the document and into files that
the given reader hands out; never over the network.

Knows nothing of what a description says.

>>> library = Library(lambda path: None)
>>> root = library.add("openapi.json", b'{"a": {"$ref": "#/b"}, "b": {"type": "string"}}')
>>> library.resolve(root.child("a")).value
{'type': 'string'}
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec
import yaml

LARGEST_JSON = 48_000_000
"""Bytes."""
LARGEST_YAML = 16_000_000
"""Bytes; the loader reads about a megabyte in a second."""
DEEPEST = 200
"""Nested maps and lists."""
MOST_NODES = 6_000_000
"""Values in a document, those that aliases repeat counted each time."""
MOST_HOPS = 50
"""References that lead to references."""


_INDENTED = re.compile(rb"^[ ?-]{%d}" % (DEEPEST + 1), re.MULTILINE)
"""Block collections need a column each, also those that begin on one line."""


class Unreadable(Exception):
    """The text is no document that can be read safely."""


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """The safe loader, as near to YAML 1.2 as OpenAPI wants it: dates are text, and so are ``no`` and ``on``."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "bool")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)


class Node(NamedTuple):
    """A value, and where it stands: a JSON pointer (RFC 6901) in a file."""

    value: Any
    file: str
    pointer: str

    def child(self, *keys: str | int) -> "Node":
        """The value under ``keys``; ``None`` where there is none."""
        value, pointer = self.value, self.pointer
        for key in keys:
            value = _under(value, key)
            pointer = f"{pointer}/{escape(str(key))}"
        return Node(value, self.file, pointer)

    def children(self) -> Iterator[tuple[str, "Node"]]:
        """Each entry of a map, extensions (``x-…``) left out."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                if not str(key).startswith("x-"):
                    yield str(key), Node(value, self.file, f"{self.pointer}/{escape(str(key))}")

    def elements(self) -> Iterator["Node"]:
        """Each entry of a list."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Node(value, self.file, f"{self.pointer}/{index}")

    def map(self, key: str) -> dict[str, Any]:
        """The map under ``key``; empty when there is none."""
        value = _under(self.value, key)
        return value if isinstance(value, dict) else {}

    def text(self, key: str, otherwise: str = "") -> str:
        """The text under ``key``."""
        value = _under(self.value, key)
        return value if isinstance(value, str) else otherwise

    def flag(self, key: str, *, otherwise: bool = False) -> bool:
        """The truth value under ``key``."""
        value = _under(self.value, key)
        return value if isinstance(value, bool) else otherwise

    @property
    def shown(self) -> str:
        """The pointer, after the file's name when it is not the description itself."""
        return f"{self.file}#{self.pointer}" if self.file else f"#{self.pointer}"


class Library:
    """One description and the files that it refers to. ``read`` gives a file's bytes by its path, or ``None``."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._documents: dict[str, Any] = {}
        self._root = ""
        self.unread: set[str] = set()
        """References that were not followed: remote, missing or unreadable."""
        self.siblings = True
        """Whether keywords next to ``$ref`` count, as they do since 3.1."""

    def add(self, path: str, content: bytes) -> Node:
        """The description itself. Raises ``Unreadable``."""
        value = load(content)
        self._root = path
        self._documents[path] = value
        return Node(value, "", "")

    def resolve(self, node: Node) -> Node | None:
        """What ``node`` is, or refers to in the end; ``None`` when that cannot be told."""
        for _ in range(MOST_HOPS):
            reference = _under(node.value, "$ref")
            if not isinstance(reference, str):
                return node
            target = self._target(reference, node.file)
            if target is None:
                self.unread.add(reference)
                return None
            node = target
        self.unread.add(str(reference))
        return None

    def _target(self, reference: str, origin: str) -> Node | None:
        path, _, fragment = reference.partition("#")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", path):
            return None
        file = origin
        if path:
            file = posixpath.normpath(posixpath.join(posixpath.dirname(origin or self._root), unquote(path)))
            if file.startswith(("/", "..")):
                return None
            file = "" if file == self._root else file
        value = self._document(file or self._root)
        if fragment and not fragment.startswith("/"):
            return _anchored(Node(value, file, ""), unquote(fragment))
        node = Node(value, file, "")
        for part in fragment.split("/")[1:]:
            node = node.child(unquote(part).replace("~1", "/").replace("~0", "~"))
            if node.value is None:
                return None
        return None if node.value is None else node

    def _document(self, path: str) -> Any:
        if path not in self._documents:
            content = self._read(path)
            try:
                self._documents[path] = None if content is None else load(content)
            except Unreadable:
                self._documents[path] = None
        return self._documents[path]


def load(content: bytes) -> Any:
    """The document, JSON or YAML. Raises ``Unreadable``."""
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"[") and len(content) <= LARGEST_JSON:
        try:
            return _bounded(msgspec.json.decode(text), len(text))
        except (msgspec.DecodeError, RecursionError):
            pass  # YAML's flow style begins alike
    if len(content) > LARGEST_YAML:
        raise Unreadable(f"{len(content)} bytes are too many to read")
    try:
        if b"<<" in content or _may_be_deep(content):
            _refuse_bombs(content)
        return _bounded(yaml.load(content, Loader=_Loader), len(content))  # noqa: S506 - a subclass of the safe loader
    # ValueError, TypeError: a number or key that YAML admits and Python does not
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(str(error).splitlines()[0] if str(error) else "no document") from error


def plain(value: Any) -> Any:
    """The document as JSON has it: YAML's keys may be numbers, and its values bytes, dates or sets.

    >>> plain({200: {"example": b"hi"}, "default": [1, None]})
    {'200': {'example': "b'hi'"}, 'default': [1, None]}
    """
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def escape(key: str) -> str:
    """A key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _under(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        found = value.get(key)
        # status codes are numbers in YAML
        return value.get(int(key)) if found is None and isinstance(key, str) and key.isdecimal() else found
    if isinstance(value, list) and str(key).isdecimal():
        index = int(key)
        return value[index] if index < len(value) else None
    return None


def _bounded(value: Any, size: int) -> Any:
    """``value`` as it is, when it is not too deep and aliases did not make it much larger than ``size`` bytes."""
    waiting, count = [(value, 1)], 0
    most = min(MOST_NODES, 20 * size + 100_000)
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > most:
            raise Unreadable("it is nested too deeply or repeats itself too often")
        if isinstance(node, dict):
            waiting.extend((child, depth + 1) for child in node.values())
        elif isinstance(node, list):
            waiting.extend((child, depth + 1) for child in node)
    return value


def _may_be_deep(content: bytes) -> bool:
    """Whether it could be nested deeper than is read: the loader goes down on the C stack, which it can exhaust."""
    return content.count(b"[") + content.count(b"{") > DEEPEST or _INDENTED.search(content) is not None


def _refuse_bombs(content: bytes) -> None:
    """Merge keys copy what they name, so their size is reckoned before anything is built."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(content, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - start
        else:
            total += 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append((event.anchor, total))
        if total > MOST_NODES or len(open_) > DEEPEST:
            raise Unreadable("its aliases repeat too much, or it is nested too deeply")


def _anchored(root: Node, name: str) -> Node | None:
    """The schema that calls itself ``name`` by ``$anchor`` (JSON Schema 2020-12, 8.2.2)."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, dict):
            if node.value.get("$anchor") == name:
                return node
            waiting.extend(child for _, child in node.children())
        else:
            waiting.extend(node.elements())
    return None
