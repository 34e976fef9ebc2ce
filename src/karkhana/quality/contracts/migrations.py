"""What is dangerous in a database migration, read from its source: Alembic's and Django's.

Three questions: can it be undone, does it lose data, does it lock a large table for long? The last is answered for
PostgreSQL. Nothing is run; what only the data can tell is said with "may". Operations and what they risk are data
(``migrations.toml``), with the sources of each rule.

Knows nothing of files or gates.

>>> source = b"from alembic import op\\ndef upgrade():\\n  op.drop_column('a', 'b')\\ndef downgrade(): pass\\n"
>>> [risk.code for risk in risks(source)]
['data_loss', 'empty_downgrade']
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import libcst as cst
import msgspec

from karkhana.syntax import nodes, parse


class Risk(msgspec.Struct, frozen=True):
    """One danger. ``code``: ``data_loss``, ``lock``, ``irreversible``, ``empty_downgrade`` or ``may_fail``."""

    code: str
    message: str
    line: int = 0
    doubtful: bool = False
    """The source alone does not tell; often it is harmless."""


class _Call(msgspec.Struct, frozen=True):
    """A call of an operation: its arguments as source text, strings without quotes."""

    name: str
    positional: tuple[str, ...]
    named: Mapping[str, str]
    line: int


def kind(source: bytes) -> str:
    """``alembic``, ``django``, or empty when the source is no migration."""
    if re.search(rb"^\s*(?:from alembic import|import alembic)", source, re.MULTILINE) and b"def upgrade" in source:
        return "alembic"
    if b"django" in source and re.search(rb"^class Migration\b", source, re.MULTILINE):
        return "django"
    return ""


def risks(source: bytes) -> list[Risk]:
    """Every danger of a migration, in the order of the source. Raises ``Unparsable``."""
    known = kind(source)
    if not known:
        return []
    module = parse(source)
    lines = source.decode("utf-8", "replace").splitlines()
    if known == "alembic":
        return _alembic(module, lines)
    return _django(module, lines)


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return tomllib.loads(resources.files("karkhana.quality.contracts").joinpath("migrations.toml").read_text("utf-8"))


def _alembic(module: cst.Module, lines: list[str]) -> list[Risk]:
    functions = {f.name.value: f for f in module.body if isinstance(f, cst.FunctionDef)}
    upgrade = functions.get("upgrade")
    if upgrade is None:
        return []
    calls = list(_calls(upgrade, module, lines))
    created = {c.positional[0] for c in calls if c.name == "create_table" and c.positional}
    found = [risk for call in calls for risk in _judge("alembic", call, created)]
    downgrade = functions.get("downgrade")
    if calls and (downgrade is None or not _does_something(downgrade)):
        found.append(
            Risk("empty_downgrade", "it cannot be undone: downgrade does nothing", _line("def downgrade", lines))
        )
    elif calls and downgrade is not None and _only_raises(downgrade):
        found.append(Risk("irreversible", "it cannot be undone: downgrade raises", _line("def downgrade", lines)))
    return found


def _django(module: cst.Module, lines: list[str]) -> list[Risk]:
    calls = [
        call
        for node in nodes(module, cst.ClassDef)
        if node.name.value == "Migration"
        for call in _calls(node, module, lines)
    ]
    created = {_argument(c, "name", 0).lower() for c in calls if c.name == "CreateModel"}
    found = [risk for call in calls for risk in _judge("django", call, created)]
    if re.search(r"^\s*atomic\s*=\s*False", "\n".join(lines), re.MULTILINE) is None:
        found += [
            Risk("may_fail", "an index cannot be built concurrently inside a transaction: set atomic = False", c.line)
            for c in calls
            if c.name in ("AddIndexConcurrently", "RemoveIndexConcurrently")
        ]
    return found


def _judge(dialect: str, call: _Call, created: set[str]) -> Iterator[Risk]:
    """The rules of ``migrations.toml`` that fit a call; on a table that the migration itself makes nothing is lost."""
    for rule in _rules()[dialect]:
        if call.name not in rule["calls"] or len(call.positional) > rule.get("most_positional", 99):
            continue
        table = _argument(call, rule.get("table", ""), rule.get("table_at", 0))
        own = table in created or table.lower() in created
        if own and not rule.get("also_when_new"):
            continue
        text = " ".join((*call.positional, *(f"{name}={value}" for name, value in call.named.items())))
        if all(re.search(pattern, text, re.IGNORECASE) for pattern in rule.get("with", ())) and not any(
            re.search(pattern, text, re.IGNORECASE) for pattern in rule.get("without", ())
        ):
            part = _argument(call, rule["part"], rule.get("part_at", 1)) if "part" in rule else ""
            what = " ".join(word for word in (table, part) if word)
            yield Risk(
                rule["risk"], rule["sentence"].format(what=what or "a table"), call.line, rule.get("doubtful", False)
            )


def _argument(call: _Call, name: str, index: int) -> str:
    value = call.named.get(name, "")
    if not value and 0 <= index < len(call.positional):
        value = call.positional[index]
    return value if re.fullmatch(r"[\w.]{1,80}", value) else ""


def _calls(root: cst.CSTNode, module: cst.Module, lines: list[str]) -> Iterator[_Call]:
    """Calls of ``op.…``, of a batch, of ``migrations.…`` and of an imported operation."""
    for node in nodes(root, cst.Call):
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        if isinstance(node.func, cst.Name):
            name = node.func.value
        if name not in _names():
            continue
        positional = tuple(_text(a.value, module) for a in node.args if a.keyword is None and not a.star)
        named = {a.keyword.value: _text(a.value, module) for a in node.args if a.keyword is not None}
        yield _Call(name, positional, named, _place(name, positional, lines))


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    known = {name for dialect in ("alembic", "django") for rule in _rules()[dialect] for name in rule["calls"]}
    return frozenset(known | set(_rules()["harmless"]))


def _text(node: cst.BaseExpression, module: cst.Module) -> str:
    if isinstance(node, cst.SimpleString | cst.ConcatenatedString):
        value = node.evaluated_value
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
    return module.code_for_node(node)


def _place(name: str, positional: tuple[str, ...], lines: list[str]) -> int:
    """The line of a call, by its words: placing every node would take longer than parsing."""
    first = positional[0].splitlines()[0] if positional and positional[0] else ""
    near = [n for n, line in enumerate(lines, 1) if f"{name}(" in line]
    return next((n for n in near if first and first in " ".join(lines[n - 1 : n + 2])), near[0] if near else 0)


def _line(text: str, lines: list[str]) -> int:
    return next((n for n, line in enumerate(lines, 1) if line.startswith(text)), 0)


def _statements(function: cst.FunctionDef) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for line in function.body.body:
        found += line.body if isinstance(line, cst.SimpleStatementLine) else [line]
    return found


def _does_something(function: cst.FunctionDef) -> bool:
    return any(
        not isinstance(s, cst.Pass)
        and not (
            isinstance(s, cst.Expr) and isinstance(s.value, cst.SimpleString | cst.Ellipsis | cst.ConcatenatedString)
        )
        for s in _statements(function)
    )


def _only_raises(function: cst.FunctionDef) -> bool:
    real = [s for s in _statements(function) if not isinstance(s, cst.Pass | cst.Expr)]
    return len(real) == 1 and isinstance(real[0], cst.Raise)
