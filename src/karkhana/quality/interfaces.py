"""The public interface of a Python module, read from its source, and what breaks when it becomes another.

Parsed with libcst, which understands newer syntax than the running interpreter; nothing is imported.
Knows nothing of files or gates.

>>> [b.message for b in breaks(b"def total(items, rate): ...", b"def total(items): ...")]
['total() lost its parameter rate']
"""

import re
from collections.abc import Iterator, Sequence

import libcst as cst
import msgspec

from karkhana.quality.contracts.classes import attributes, bases, dotted, generated_parameters, lost_bases
from karkhana.syntax import parse


class Parameter(msgspec.Struct, frozen=True):
    """One parameter. ``kind``: ``positional_only``, ``normal``, ``keyword_only``, ``args`` or ``kwargs``."""

    name: str
    kind: str
    required: bool


class Name(msgspec.Struct, frozen=True):
    """A public name.

    ``kind``: ``function``, ``class``, ``property``, ``attribute`` (set by a method) or ``value`` (a constant, an
    import).
    """

    kind: str
    parameters: tuple[Parameter, ...] = ()
    asynchronous: bool = False
    bases: tuple[str, ...] = ()


class Break(msgspec.Struct, frozen=True):
    """One incompatible change. ``line``: in the new source; 0 when the name is gone."""

    message: str
    line: int = 0


Interface = dict[str, Name]


def breaks(before: bytes, after: bytes | None) -> list[Break]:
    """What callers of the old module trip over in the new one; ``None``: the module is deleted.

    Raises ``Unparsable`` when either source cannot be parsed.
    """
    old = interface(before)
    new = interface(after) if after is not None else {}
    known = {name: value.bases for name, value in new.items() if value.kind == "class"}
    found: list[Break] = []
    for name, was in old.items():
        now = new.get(name)
        parent = name.rpartition(".")[0]
        if now is None:
            # a constructor that is gone may be inherited, and so may an attribute when there is another base
            inherited = name.endswith(("__init__", "__new__")) or (
                was.kind == "attribute" and parent in new and new[parent].bases != old[parent].bases
            )
            if (not parent or parent in new) and not inherited:
                found.append(Break(f"{_shown(name, was)} is gone"))
        else:
            line = _line(name, after or b"")
            found.extend(Break(f"{_shown(name, was)} {problem}", line) for problem in _compare(was, now))
            lost = lost_bases(was.bases, now.bases, known) if was.kind == now.kind == "class" else []
            found.extend(Break(f"{name} is no longer a {base}", line) for base in lost)
    return found


def _line(name: str, source: bytes) -> int:
    """Where a function or class is defined, found by its words: placing every node would take longer than parsing."""
    text, line = source.decode("utf-8", "replace"), 0
    position = 0
    for part in name.split("."):
        found = re.compile(rf"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+{re.escape(part)}\b", re.MULTILINE).search(
            text, position
        )
        if found is None:
            return line
        position, line = found.end(), text.count("\n", 0, found.end()) + 1
    return line


def interface(source: bytes) -> Interface:
    """Public names by dotted path, e.g. ``Cart.total``. Raises ``Unparsable``."""
    module = parse(source)
    reader = _Reader()
    reader.read(module.body, prefix="")
    exported = _exported(module.body)
    return {
        name: value
        for name, value in reader.names.items()
        if (name.split(".")[0] in exported if exported is not None else not name.startswith("_"))
    }


def _shown(name: str, value: Name) -> str:
    return f"{name}()" if value.kind == "function" else name


def _compare(was: Name, now: Name) -> Iterator[str]:
    if was.kind == "function" and now.kind == "function":
        if was.asynchronous != now.asynchronous:
            yield "became asynchronous" if now.asynchronous else "is no longer asynchronous"
        yield from _compare_parameters(was.parameters, now.parameters)
    elif {was.kind, now.kind} <= {"function", "class"} and was.kind != now.kind:
        yield f"was a {was.kind} and is a {now.kind}"
    elif {was.kind, now.kind} == {"function", "property"}:
        yield "has to be called now" if now.kind == "function" else "is no longer called"


def _compare_parameters(was: Sequence[Parameter], now: Sequence[Parameter]) -> Iterator[str]:
    by_name = {p.name: p for p in now if p.kind not in ("args", "kwargs")}
    kinds = {p.kind for p in now}
    positions = [p.name for p in now if p.kind in ("positional_only", "normal")]
    for index, old in enumerate(p for p in was if p.kind in ("positional_only", "normal")):
        yield from _compare_positional(old, index, by_name, positions, kinds)
    for old in was:
        if old.kind == "keyword_only" and "kwargs" not in kinds:
            new = by_name.get(old.name)
            if new is None or new.kind == "positional_only":
                yield f"lost its parameter {old.name}"
        if old.kind in ("args", "kwargs") and old.kind not in kinds:
            yield f"no longer takes {'*' if old.kind == 'args' else '**'}{old.name}"
    known = {p.name: p for p in was if p.kind not in ("args", "kwargs")}
    old_count = sum(p.kind in ("positional_only", "normal") for p in was)
    for name, new in by_name.items():
        replaces = name in positions and positions.index(name) < old_count
        if new.required and name not in known and not replaces:
            yield f"has a new required parameter {name}"
        elif new.required and name in known and not known[name].required:
            yield f"now requires its parameter {name}"


def _compare_positional(
    old: Parameter, index: int, by_name: dict[str, Parameter], positions: list[str], kinds: set[str]
) -> Iterator[str]:
    new = by_name.get(old.name)
    same_place = index < len(positions) and positions[index] == old.name
    if same_place:
        if old.kind == "normal" and new is not None and new.kind == "positional_only":
            yield f"no longer takes {old.name} by keyword"
    elif old.kind == "positional_only":
        if index >= len(positions) and "args" not in kinds:
            yield f"lost its parameter {old.name}"
    elif new is None:
        if index < len(positions):
            yield f"calls its parameter {old.name} now {positions[index]}"
        elif not {"args", "kwargs"} <= kinds:
            yield f"lost its parameter {old.name}"
    elif new.kind == "keyword_only":
        yield f"no longer takes {old.name} by position"
    else:
        yield f"takes {old.name} at another position"


class _Reader:
    """Collects the names that a module or class body binds, into conditions and ``try`` as well."""

    def __init__(self) -> None:
        self.names: Interface = {}

    def read(self, body: Sequence[cst.CSTNode], prefix: str) -> None:
        for node in body:
            if isinstance(node, cst.FunctionDef):
                self._function(node, prefix)
            elif isinstance(node, cst.ClassDef):
                self._class(node, prefix)
            elif isinstance(node, cst.SimpleStatementLine):
                for statement in node.body:
                    for name in _bound(statement):
                        self._keep(prefix, name, Name("value"))
            else:
                for block in _blocks(node):
                    self.read(block, prefix)

    def _function(self, node: cst.FunctionDef, prefix: str) -> None:
        decorators = {dotted(d.decorator).rpartition(".")[2] for d in node.decorators}
        if "overload" in decorators:
            return
        if decorators & {"property", "cached_property", "setter", "getter", "deleter"}:
            self._keep(prefix, node.name.value, Name("property"))
            return
        bound = bool(prefix) and "staticmethod" not in decorators
        parameters = tuple(_parameters(node.params))[1 if bound else 0 :]
        value = Name("function", parameters, node.asynchronous is not None)
        self._keep(prefix, node.name.value, value)

    def _class(self, node: cst.ClassDef, prefix: str) -> None:
        self._keep(prefix, node.name.value, Name("class", bases=bases(node)))
        if node.name.value.startswith("_"):
            return
        within = f"{prefix}{node.name.value}."
        self.read(node.body.body, within)
        generated = generated_parameters(node)
        if generated is not None:
            self._keep(within, "__init__", Name("function", tuple(Parameter(*each) for each in generated)))
        for name in attributes(node):
            if within + name not in self.names:
                self._keep(within, name, Name("attribute"))

    def _keep(self, prefix: str, name: str, value: Name) -> None:
        if prefix and name.startswith("_") and name not in ("__init__", "__call__", "__new__"):
            return
        self.names[prefix + name] = value


def _blocks(node: cst.CSTNode) -> Iterator[Sequence[cst.CSTNode]]:
    if isinstance(node, cst.If | cst.Try | cst.TryStar | cst.With | cst.For | cst.While | cst.Else | cst.Finally):
        yield node.body.body
    if isinstance(node, cst.ExceptHandler | cst.ExceptStarHandler):
        yield node.body.body
    if isinstance(node, cst.Try | cst.TryStar):
        for handler in node.handlers:
            yield from _blocks(handler)
        if node.finalbody is not None:
            yield from _blocks(node.finalbody)
    orelse = getattr(node, "orelse", None)
    if orelse is not None:
        yield from _blocks(orelse)


def _bound(statement: cst.BaseSmallStatement) -> Iterator[str]:
    if isinstance(statement, cst.Assign):
        for target in statement.targets:
            yield from _targets(target.target)
    elif isinstance(statement, cst.AnnAssign):
        yield from _targets(statement.target)
    elif isinstance(statement, cst.TypeAlias):
        yield statement.name.value
    elif isinstance(statement, cst.ImportFrom) and not isinstance(statement.names, cst.ImportStar):
        # An import from elsewhere is no interface; a relative one in a package's front door is its way to export.
        for alias in statement.names:
            if statement.relative or alias.asname is not None:
                yield _alias(alias)


def _alias(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return dotted(alias.name)


def _targets(target: cst.BaseExpression) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _targets(element.value)


def _parameters(params: cst.Parameters) -> Iterator[Parameter]:
    for kind, group in (("positional_only", params.posonly_params), ("normal", params.params)):
        for param in group:
            yield Parameter(param.name.value, kind, param.default is None)
    if isinstance(params.star_arg, cst.Param):
        yield Parameter(params.star_arg.name.value, "args", required=False)
    for param in params.kwonly_params:
        yield Parameter(param.name.value, "keyword_only", param.default is None)
    if params.star_kwarg is not None:
        yield Parameter(params.star_kwarg.name.value, "kwargs", required=False)


def _exported(body: Sequence[cst.CSTNode]) -> set[str] | None:
    """The strings of a literal ``__all__``; ``None`` when there is none or it is computed."""
    for node in body:
        for statement in node.body if isinstance(node, cst.SimpleStatementLine) else ():
            if isinstance(statement, cst.Assign | cst.AnnAssign) and "__all__" in _bound(statement):
                if not isinstance(statement.value, cst.List | cst.Tuple):
                    return None
                values = [e.value for e in statement.value.elements]
                return {str(v.evaluated_value) for v in values if isinstance(v, cst.SimpleString)}
    return None
