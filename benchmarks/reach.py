"""Which human fixes would be tried at all: the fixes of mined tickets among the candidates, and how far in front.

    python -m benchmarks.reach --dataset DIR --tickets DIR [--library OWNER/NAME] [--only COMMIT] [--most 6] [--json]

Nothing of the libraries is run, so a case takes about a second: the functions that the fix changed are taken as the
suspects, every line of them alike, and constants of modules and classes for suspects when the fix changed these. What
the tests print is read from the ticket. A case is *reached* when one candidate gives the fixed module's syntax tree
back (documentation and the wording of exceptions apart). Only the develop half is looked at: the blind half must not
guide anybody.
"""

import argparse
import ast
import json
import re
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import emit
from benchmarks.learn_priors import place_of
from benchmarks.mine import libraries
from benchmarks.mine_code import plain
from benchmarks.mine_tickets import History, Ticket, load
from benchmarks.seeded_direct import whole_module
from karkhana.behaviour.spectra import Failure, Spectrum, TestRun
from karkhana.engineers.symbolic.generation.hypotheses import (
    Hypothesis,
    Place,
    cut,
    declared_in,
    expected_errors,
    hypotheses,
    literals_of,
)
from karkhana.engineers.symbolic.localisation.localise import Suspect

_ERROR = re.compile(
    r"(?m)^E\s{2,}(?:[\w.]*\.)?(?P<type>[A-Z]\w*(?:Error|Exception|Exit|Invalid|Warning))(?:: (?P<text>.*))?$"
)
_CLAIM = re.compile(r"(?m)^E\s{2,}(?:AssertionError: )?(?P<text>assert .*|'.*' != '.*')$")
_TESTS = 6


def measure(history: History, ticket: Ticket) -> dict[str, Any]:
    """One case: ``stage`` is ``no place``, ``not generated`` or ``generated`` (then with ``rank`` and ``template``)."""
    row = {
        "name": f"{ticket['library']}@{ticket['fix'][:10]}",
        "lines": ticket["changed_lines"],
        "kind": ticket["kind"],
    }
    changed = [path for path in ticket["sources"] if path.endswith(".py")]
    before, after = history.texts(ticket["parent"], changed), history.texts(ticket["fix"], changed)
    changed = [path for path in changed if before.get(path) != after.get(path)]
    if len(changed) != 1 or changed[0] not in before:
        return row | {"stage": "no place", "candidates": 0}
    (path,) = changed
    tests = history.texts(ticket["fix"], ticket["tests"])
    told = "\n".join([ticket["ticket"], *_sources(tests, ticket["failing"][:_TESTS]), *_messages(ticket["report"])])
    names = [name.partition("::")[2] for name in ticket["functions"]]
    spectrum = _spectrum(ticket)
    places = _places(path, before[path], names, told, ticket["failing"])
    ideas = hypotheses(places, spectrum, literals=literals_of(told), expected=expected_errors(told), told=told)
    row |= {"candidates": len(ideas), "fresh": sum(idea.fresh for idea in ideas)}
    number = first_right(after[path], places, ideas)
    if number is None:
        return row | {"stage": "not generated" if places else "no place"}
    idea = ideas[number]
    rank = 1 + sum(other.fresh == idea.fresh for other in ideas[:number])
    return row | {"stage": "generated", "rank": rank, "template": idea.kind, "dear": idea.fresh}


def _sources(tests: Mapping[str, str], names: list[str]) -> list[str]:
    """The text of test functions."""
    found = []
    for name in names:
        path, _, rest = name.partition("::")
        try:
            place = place_of(tests.get(path, ""), ".".join(rest.split("[")[0].split("::")))
        except SyntaxError:
            continue
        if place is not None:
            found.append("".join(tests[path].splitlines(keepends=True)[place.top - 1 : place.end]))
    return list(dict.fromkeys(found))


def _messages(report: str) -> list[str]:
    return [line[1:].strip() for line in report.splitlines() if line.startswith("E ")]


def _spectrum(ticket: Ticket) -> Spectrum:
    """The failing tests as the report tells them, with nothing traced."""
    runs = []
    parts = {part.partition("\n")[0]: part for part in ticket["report"].split("\n\n")}
    for name in ticket["failing"][:_TESTS]:
        part = parts.get(name, "")
        claim, errors = _CLAIM.findall(part), _ERROR.findall(part)
        if claim:
            failure = Failure(type="AssertionError", message=claim[-1])
        else:
            kind, text = errors[-1] if errors else ("AssertionError", "")
            failure = Failure(type=kind, message=text)
        runs.append(TestRun(name=name, outcome="failed", seconds=0.1, failure=failure))
    return Spectrum(tests=tuple(runs), coverage={}, functions={})


def _places(path: str, text: str, names: list[str], told: str, failing: list[str]) -> tuple[Place, ...]:
    """The functions that a fix changed, and the constants when it changed these."""
    tests = tuple(range(min(len(failing), _TESTS)))
    found: list[Place] = []
    for name in names:
        where = place_of(text, name) if name else None
        if where is not None:
            lines = dict.fromkeys(range(where.start, where.end + 1), 1.0)
            suspect = Suspect(path=path, place=where, score=1.0, lines=lines, failing=tests, passing=())
            found.append(Place(suspect=suspect, text=cut(text, suspect), file_text=text))
    bound = frozenset(node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name))
    spoken = "\n".join([told, *failing])
    strengths = dict.fromkeys(bound, 1.0) if "" in names or not found else dict.fromkeys(names, 0.0)
    place = declared_in(path, text, strengths, spoken, score=1.0, failing=tests, passing=())
    return (*found, place)


def first_right(after: str, places: tuple[Place, ...], ideas: list[Hypothesis]) -> int | None:
    """Number of the first candidate that gives the fixed module."""
    wanted = plain(_without_wording(after), annotations=False)
    squeezed = _squeezed(after)
    for number, idea in enumerate(ideas):
        text = whole_module(places[idea.suspect], idea)
        # Parsing all of them would be dear: most differ in length by more than documentation or wording would.
        if _near(_squeezed(text), squeezed, idea):
            try:
                if plain(_without_wording(text), annotations=False) == wanted:
                    return number
            except (SyntaxError, ValueError):
                continue
    return None


_BLANK = {ord(c): None for c in " \t\r\n\f\\(),'\""}
_EDGE = 12


def _squeezed(text: str) -> str:
    return re.sub(r"raise (\w+).*", r"raise \1", _undocumented(text)).translate(_BLANK)


def _undocumented(text: str) -> str:
    return re.sub(r"(?m)#.*$", "", re.sub(r'"""[\s\S]*?"""', "", text))


def _near(one: str, other: str, idea: Hypothesis) -> bool:
    return one == other or (abs(len(one) - len(other)) < _EDGE and idea.kind in _WORDED)


_WORDED = frozenset({"missing-raise", "add-raise", "early-return", "sibling-guard"})


def _without_wording(text: str) -> str:
    """The text without the wording that exceptions are called with."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            plain = [a for a in node.exc.args if not isinstance(a, ast.Constant | ast.JoinedStr)]
            if plain or node.exc.keywords:
                node.exc.args = plain
            else:
                node.exc = node.exc.func
    return ast.unparse(tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--tickets", type=Path, required=True)
    parser.add_argument("--library", action="append")
    parser.add_argument("--only", default="", help="a part of the fix's commit")
    parser.add_argument("--most", type=int, default=25, help="changed lines")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    repositories = libraries(options.dataset)
    rows = []
    for ticket in load(options.tickets, "develop"):
        library = ticket["library"]
        if library not in repositories or (options.library and library not in options.library):
            continue
        if options.only not in ticket["fix"] or ticket["changed_lines"] > options.most:
            continue
        row = measure(History(repositories[library], library), ticket)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
    ranks = [row["rank"] for row in rows if "rank" in row]
    figures = {
        "total": len(rows),
        "right": len(ranks),
        "median_rank": statistics.median(ranks) if ranks else None,
        "median_candidates": statistics.median(row["candidates"] for row in rows) if rows else None,
        "cases": rows,
    }
    emit("Reach", figures, as_json=options.json)


if __name__ == "__main__":
    main()
