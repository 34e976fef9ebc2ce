"""What a Python class promises beyond its own methods: its bases, the attributes that it sets, a generated constructor.

Read from the syntax tree; nothing is imported. Knows nothing of what changes mean.
"""

import builtins
from collections.abc import Iterator

import libcst as cst

from karkhana.syntax import nodes

_GENERATORS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "attributes"})
"""Decorators that write ``__init__`` from the annotated fields: dataclasses and attrs."""
_UNTELLING = frozenset({"", "object", "ABC", "Generic", "Protocol"})


def dotted(node: cst.BaseExpression) -> str:
    """``a.b`` of a name, an attribute, a call or a subscript of them; else empty."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value)}.{node.attr.value}"
    if isinstance(node, cst.Call):
        return dotted(node.func)
    return dotted(node.value) if isinstance(node, cst.Subscript) else ""


def bases(node: cst.ClassDef) -> tuple[str, ...]:
    """Public bases by the last part of their names, those left out that say nothing about instances."""
    names = [dotted(arg.value).rpartition(".")[2] for arg in node.bases]
    return tuple(name for name in names if name not in _UNTELLING and not name.startswith("_"))


def lost_bases(was: tuple[str, ...], now: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> list[str]:
    """Bases that an instance certainly no longer has. ``known``: the bases of the classes of the new module.

    >>> lost_bases(("Exception",), ("ValueError",), {}), lost_bases(("A",), ("B",), {}), lost_bases(("A",), (), {})
    ([], [], ['A'])
    """
    above: set[str] = set()
    waiting = list(now)
    while waiting:
        name = waiting.pop()
        if name in above:
            continue
        above.add(name)
        built_in = getattr(builtins, name, None)
        if name in known:
            waiting += known[name]
        elif isinstance(built_in, type):
            above |= {base.__name__ for base in built_in.__mro__}
        else:
            return []  # it comes from elsewhere, and may be anything
    return [name for name in was if name not in above]


def attributes(node: cst.ClassDef) -> Iterator[str]:
    """Public names that methods set on ``self``."""
    for method in node.body.body:
        if not isinstance(method, cst.FunctionDef) or not method.params.params:
            continue
        own = method.params.params[0].name.value
        for statement in nodes(method.body, cst.Assign, cst.AnnAssign):
            targets = (
                [target.target for target in statement.targets]
                if isinstance(statement, cst.Assign)
                else [statement.target]
                if isinstance(statement, cst.AnnAssign)
                else []
            )
            own_targets = (t for t in targets if isinstance(t, cst.Attribute) and dotted(t.value) == own)
            yield from (t.attr.value for t in own_targets if not t.attr.value.startswith("_"))


def generated_parameters(node: cst.ClassDef) -> list[tuple[str, str, bool]] | None:
    """``(name, kind, required)`` of a constructor that a decorator writes; ``None`` when none does.

    ``kind`` is ``normal`` or ``keyword_only``. Fields of bases are not seen.
    """
    decorator = next((d.decorator for d in node.decorators if _generates(d.decorator)), None)
    written = any(isinstance(part, cst.FunctionDef) and part.name.value == "__init__" for part in node.body.body)
    if decorator is None or written or _says(decorator, "init", "False"):
        return None
    only_named = _says(decorator, "kw_only", "True")
    found = []
    for line in node.body.body:
        for part in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if not isinstance(part, cst.AnnAssign) or not isinstance(part.target, cst.Name):
                continue
            kind = dotted(part.annotation.annotation).rpartition(".")[2]
            if kind == "KW_ONLY":
                only_named = True
            elif kind != "ClassVar" and not _says(part.value, "init", "False"):
                named = only_named or _says(part.value, "kw_only", "True")
                found.append((part.target.value, "keyword_only" if named else "normal", not _has_default(part.value)))
    return found


def _generates(decorator: cst.BaseExpression) -> bool:
    name = dotted(decorator)
    return name.rpartition(".")[2] in _GENERATORS or name in ("attr.s", "attr.dataclass")


def _says(call: cst.BaseExpression | None, name: str, value: str) -> bool:
    return isinstance(call, cst.Call) and any(
        arg.keyword is not None
        and arg.keyword.value == name
        and isinstance(arg.value, cst.Name)
        and arg.value.value == value
        for arg in call.args
    )


def _has_default(value: cst.BaseExpression | None) -> bool:
    if value is None:
        return False
    if isinstance(value, cst.Call) and dotted(value).rpartition(".")[2] in ("field", "ib", "attrib", "Field"):
        given = {arg.keyword.value for arg in value.args if arg.keyword is not None}
        return bool(given & {"default", "default_factory", "factory"})
    return True
