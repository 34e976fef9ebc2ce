"""Compares how an interface is reached: addresses, and what a client has to show.

``security`` lists alternatives, each a set of schemes with scopes. An old client breaks when what it shows satisfies
no alternative any more. A scheme that only got another name is the same scheme.

Knows nothing of parameters or schemas.
"""

from collections.abc import Mapping
from typing import Any

from karkhana.quality.contracts.openapi.documents import Node
from karkhana.quality.contracts.openapi.model import Description, Operation, Requirement
from karkhana.quality.contracts.openapi.report import Report
from karkhana.quality.contracts.openapi.views import canonical

_ANYONE: tuple[Requirement, ...] = ({},)
_URLS = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")


class Access:
    """Compares security and servers of two descriptions."""

    def __init__(self, old: Description, new: Description, report: Report) -> None:
        self._old = old
        self._new = new
        self._report = report
        self._names = _renamed(old.schemes, new.schemes)
        self._used: set[str] = set()

    def operation(self, old: Operation, new: Operation) -> None:
        """What one operation demands, and where it is."""
        before = (old.security if old.security is not None else self._old.security) or _ANYONE
        after = (new.security if new.security is not None else self._new.security) or _ANYONE
        self._used |= {name for alternative in before for name in alternative}
        after = tuple({self._names.get(n, n): scopes for n, scopes in each.items()} for each in after)
        was, now = (
            operation.security_node if operation.security is not None else whole.security_node
            for operation, whole in ((old, self._old), (new, self._new))
        )
        self._demands(old, before, after, (was, now))
        if old.servers or new.servers:
            self._servers(old.title, _addresses(old, self._old), _addresses(new, self._new))

    def _demands(
        self, old: Operation, before: tuple[Requirement, ...], after: tuple[Requirement, ...], nodes: tuple[Node, Node]
    ) -> None:
        refused = [each for each in before if not any(_satisfied(each, other) for other in after)]
        for shown in refused:
            nearest = min(after, key=lambda other: _missing(shown, other))
            if not shown:
                code, name = "security_added", _listed(nearest)
            elif nearest.keys() <= shown.keys():
                code = "security_scope_added"
                name = ", ".join(sorted(s for n, scopes in nearest.items() for s in scopes - shown[n]))
            else:
                code, name = "security_changed", _listed(shown)
            self._say(code, old.title, nodes, name=name, now=_listed(nearest))
        if not refused and {} in after and {} not in before:
            self._say("security_dropped", old.title, nodes)

    def whole(self) -> None:
        """Addresses and schemes of the whole interface; after all operations, since only schemes in use count."""
        self._servers("", self._old.servers, self._new.servers)
        names = {old: new for new, old in self._names.items()}
        for name, was in self._old.schemes.items():
            now = self._new.schemes.get(names.get(name, name))
            if name in self._used:
                self._scheme(name, was, now)

    def _scheme(self, name: str, was: Node, now: Node | None) -> None:
        place = self._new.root.child("components", "securitySchemes")
        if now is None:
            if any(name in each for each in self._new.security) or any(
                name in each for o in self._new.operations.values() for each in o.security or ()
            ):
                self._say("security_scheme_removed", "", (was, place), name=name)
            return
        if _identity(was) != _identity(now):
            self._say("security_scheme_changed", "", (was, now), name=name)
        flows = now.map("flows")
        for flow, child in was.child("flows").children():
            if flow not in flows:
                self._say("security_flow_removed", "", (child, now), name=f"{flow} of {name}")
                continue
            other = now.child("flows", flow)
            for scope in child.map("scopes"):
                if scope not in other.map("scopes"):
                    self._say("security_scope_removed", "", (child.child("scopes"), other), name=str(scope))
            for key in _URLS:
                if child.text(key) != other.text(key):
                    words = {"was": child.text(key) or "none", "now": other.text(key) or "none"}
                    self._say("security_address_changed", "", (child, other), name=f"{key} of {name}", **words)

    def _servers(self, title: str, old: Mapping[str, Node], new: Mapping[str, Node]) -> None:
        for address, was in old.items():
            now = new.get(address)
            if now is None:
                others = ", ".join(other or "/" for other in new)
                place = next(iter(new.values()), self._new.root)
                self._say("server_removed", title, (was, place), name=address or "/", now=others)
                continue
            for variable, child in was.child("variables").children():
                values = _values(now.child("variables", variable))
                lost = [v for v in _values(child) if values and v not in values]
                if lost:
                    self._say("server_variable_narrowed", title, (child, now), name=variable, was=", ".join(lost))

    def _say(self, code: str, title: str, nodes: tuple[Node, Node], **words: str) -> None:
        self._report.add(code, operation=title, old=nodes[0].shown, new=nodes[1].shown, **words)


def _addresses(operation: Operation, whole: Description) -> Mapping[str, Node]:
    return {server.text("url").rstrip("/"): server for server in operation.servers} or whole.servers


def _satisfied(shown: Requirement, demanded: Requirement) -> bool:
    return all(name in shown and scopes <= shown[name] for name, scopes in demanded.items())


def _missing(shown: Requirement, demanded: Requirement) -> tuple[int, int]:
    scopes = sum(len(each - shown.get(name, frozenset())) for name, each in demanded.items())
    return len(demanded.keys() - shown.keys()), scopes


def _listed(requirement: Requirement) -> str:
    return " and ".join(sorted(requirement)) or "nothing"


def _values(node: Node) -> list[str]:
    return [str(each.value) for each in node.child("enum").elements()]


def _identity(scheme: Node) -> str:
    keys = ("type", "in", "name", "openIdConnectUrl")
    kept: dict[str, Any] = {key: scheme.child(key).value for key in keys}
    return canonical({**kept, "scheme": scheme.text("scheme").lower()})


def _renamed(old: Mapping[str, Node], new: Mapping[str, Node]) -> dict[str, str]:
    """New names of schemes that are an old one in all but name, with the old names."""
    lost = {canonical([_identity(n), n.child("flows").value]): name for name, n in old.items() if name not in new}
    found = {}
    for name, node in new.items():
        before = lost.get(canonical([_identity(node), node.child("flows").value]))
        if name not in old and before is not None:
            found[name] = before
    return found
