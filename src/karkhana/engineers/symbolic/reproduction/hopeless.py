"""Recognises failing tests that no change of the code can rightly turn green: contradictions and faults of the machine.

Works on what the tests say and on their source, never on the ticket's words alone. The signs of a faulty environment
are data (``hopeless.toml``). Runs nothing.
"""

import functools
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import msgspec

from karkhana.domain.suites import Outcome, TestResult
from karkhana.domain.tools import ListFiles
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.localise import words_of
from karkhana.engineers.symbolic.reproduction.expectations import contradicting


class Sign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sign that the machine is at fault."""

    kind: str
    pattern: str
    next: str
    also: str = ""
    """Must be found in the traceback as well."""
    not_ours: str = ""
    """Group of the pattern that names a module; it is no fault of the machine when the repository has that module."""


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of request that is no report of a bug."""

    name: str
    pattern: str
    next: str


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    everyday: frozenset[str]
    """Words that say nothing about what a ticket is about."""
    sign: tuple[Sign, ...]
    kind: tuple[Kind, ...]


@functools.cache
def table() -> _Table:
    text = resources.files("karkhana.engineers.symbolic.reproduction").joinpath("hopeless.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Table)


def kind_of_request(title: str) -> Kind | None:
    """What a ticket asks for by its first line, when that is no repair.

    >>> kind_of_request("Please add an export to YAML").name
    'something new'
    >>> kind_of_request("add: its tests fail")
    """
    return next((kind for kind in table().kind if re.search(kind.pattern, title, re.IGNORECASE)), None)


def refuse_hopeless(hands: Hands) -> None:
    """Raises ``Abstention`` when the failing tests that the ticket may mean are none that a repair could serve."""
    failing = meant(hands)
    if not failing:
        return
    faults = [(result, machine_fault(result, functools.partial(_ours, hands))) for result in failing]
    if all(fault is not None for _, fault in faults):
        result, fault = faults[0]
        assert fault is not None
        found, sign = fault
        raise Abstention(
            f"{result.name} fails because of the environment, not of the code ({sign.kind}): {found[0].strip()[:200]}",
            sign.next.format(**{k: v for k, v in found.groupdict().items() if v}),
        )
    names = [result.name for result in failing]
    others = [r.name for r in hands.assignment.baseline.results if r.outcome is not Outcome.SKIPPED]
    pair = contradicting(hands, names, others)
    if pair is not None:
        one, other = pair
        raise Abstention(
            f"two tests contradict each other: {one.test} expects `{one.call}` to be `{one.expected}` "
            f"(line {one.line}), {other.test} expects `{other.expected}` (line {other.line})",
            f"Which of the two is right, `{one.expected}` or `{other.expected}`? The other test has to change.",
        )


def meant(hands: Hands) -> list[TestResult]:
    """Failing tests that the ticket names, or those that share most words with it, or all."""
    text = hands.assignment.ticket.text
    results = hands.assignment.baseline.results
    failing = [r for r in results if r.outcome in (Outcome.FAILED, Outcome.ERROR)]
    named = [r for r in failing if r.name in text or (len(_function(r)) > 5 and _function(r) in text)]
    if named:
        return named
    words = words_of(text)
    shared = {r.name: len(words & words_of(r.name)) for r in failing}
    most = max(shared.values(), default=0)
    return [r for r in failing if shared[r.name] == most] if most else failing


def _function(result: TestResult) -> str:
    return result.name.split("[")[0].rsplit("::", 1)[-1]


def machine_fault(result: TestResult, ours: Any) -> tuple[re.Match[str], Sign] | None:
    """The sign that a failure shows, if it shows one. ``ours`` tells whether a module is the repository's own."""
    told = f"{result.message}\n{result.traceback}"[-20_000:]
    # What is raised last is what failed; a fault that was caught on the way is none.
    for sign in table().sign:
        found = re.search(sign.pattern, told)
        if found is None or (sign.also and not re.search(sign.also, told)):
            continue
        if sign.not_ours and ours(found[sign.not_ours]):
            continue
        return found, sign
    return None


def _ours(hands: Hands, module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    paths: Sequence[str] = hands.tools.call(ListFiles(glob="*.py", limit=10_000)).paths
    return any(top in (*path.split("/")[:-1], path.rsplit("/", 1)[-1].removesuffix(".py")) for path in paths)
