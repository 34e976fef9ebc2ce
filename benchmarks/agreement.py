"""Is a passing change more probably right when a small model would write the same in its place?

    python -m benchmarks.agreement --rows DIR --dataset DIR --base-url URL [--source NAME] [--json]

DIR of ``--rows`` holds what :mod:`benchmarks.probability_rows` wrote: changes that pass, right and wrong ones, of the
halves for development. For each, the lines that it replaces are left out of the function, and the model is asked,
greedily, what belongs there. Reported: how often it writes the same when the change is right and when it is not, and
the log odds that follow (a half added to each count).
"""

import argparse
import ast
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import humanevalfix
from benchmarks.common import emit
from benchmarks.history_judge import replay
from benchmarks.local_model import LocalModel
from benchmarks.mine import DATA, libraries
from benchmarks.mine_tickets import History, load
from karkhana.behaviour.spectra import FunctionPlace
from karkhana.domain.chat import ChatRequest, Message, Role, Text
from karkhana.engineers.llm.prompting import filled
from karkhana.engineers.llm.small.gaps import MARK, gap_of
from karkhana.engineers.llm.small.passages import passage_around
from karkhana.engineers.symbolic.generation.places import Place
from karkhana.engineers.symbolic.localisation.localise import Suspect

_WORDS = 400
Files = Mapping[str, bytes]


def functions(text: str) -> dict[str, tuple[int, int]]:
    """Outermost functions and methods: qualified name → first and last line."""
    found: dict[str, tuple[int, int]] = {}

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[prefix + node.name] = (node.lineno, node.end_lineno or node.lineno)

    walk(ast.parse(text).body, "")
    return found


def changed_function(before: str, after: str) -> tuple[str, str, str] | None:
    """Name and both texts of the one function that a change is about."""
    old, new = functions(before), functions(after)

    def text_of(text: str, span: tuple[int, int]) -> str:
        return "".join(text.splitlines(keepends=True)[span[0] - 1 : span[1]])

    changed = [n for n in old if n in new and text_of(before, old[n]) != text_of(after, new[n])]
    if len(changed) != 1:
        return None
    name = changed[0]
    return name, text_of(before, old[name]), text_of(after, new[name])


class Cases:
    """The state and the words of a ticket, by its name in the rows."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._libraries = libraries(options.dataset)
        self._tickets = load(options.tickets, "develop")
        self._human = {f"humanevalfix-{n}": case for n, case in enumerate(humanevalfix.cases(options.dataset), 1)}

    def of(self, name: str) -> tuple[Files, str] | None:
        if name in self._human:
            case = self._human[name]
            return {p: t.encode() for p, t in humanevalfix.repository_files(case).items()}, humanevalfix.ticket_of(case)
        library, _, fix = name.partition("@")
        fix = fix.removeprefix("report-")
        for ticket in self._tickets:
            if ticket["library"] == library and ticket["fix"].startswith(fix):
                return History(self._libraries[library], library).broken(ticket), ticket["ticket"]
        return None


def asked(model: LocalModel, files: Files, words: str, patch: str) -> bool | None:
    """Whether the model fills the gap as the change does; ``None`` when there is no one gap."""
    try:
        changes = replay(dict(files), patch)
    except subprocess.CalledProcessError:
        return None
    if len(changes) != 1:
        return None
    path, after = next(iter(changes.items()))
    found = changed_function(files[path].decode(), (after or b"").decode())
    gap = gap_of(found[1], found[2]) if found else None
    if found is None or gap is None:
        return None
    name, before, wanted = found
    where = FunctionPlace(name=name.rpartition(".")[2], top=1, start=1, end=before.count("\n"))
    suspect = Suspect(path=path, place=where, score=1.0, lines={}, failing=(), passing=())
    passage = passage_around(Place(suspect=suspect, text=before, file_text=before), gap.start)
    told = {"whole": passage.whole, "where": "", "head": passage.head, "documentation": passage.documentation[:500]}
    text = filled("gap", **told, test="", failure="", ticket=words[:_WORDS], code=passage.with_gap(gap), mark=MARK)
    parts = ((Role.SYSTEM, filled("gap_rules")), (Role.USER, text))
    messages = tuple(Message(role=role, parts=(Text(text=said),)) for role, said in parts)
    answer = model.ask(ChatRequest(model=model.name, messages=messages, max_tokens=80, stop=("```\n\n",)))
    rewrite = passage.read_gap(answer.answer.text, 0, gap)
    return rewrite is not None and any(same(text, wanted) for text in (rewrite.text, *rewrite.others))


def same(one: str, other: str) -> bool:
    """Whether two functions are the same program."""
    try:
        return ast.dump(ast.parse(_flush(one))) == ast.dump(ast.parse(_flush(other)))
    except SyntaxError:
        return False


def _flush(text: str) -> str:
    return "if True:\n" + text if text[:1].isspace() else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--tickets", type=Path, default=DATA / "tickets")
    parser.add_argument("--source", choices=("history", "humanevalfix"), default="humanevalfix")
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cases, model = Cases(options), LocalModel(options.base_url, options.kept)
    counts = {True: [0, 0], False: [0, 0]}
    listed: list[dict[str, Any]] = []
    for file in sorted(options.rows.glob(f"{options.source}/*.json")):
        for row in json.loads(file.read_text()):
            known = cases.of(row["ticket"])
            agrees = asked(model, known[0], known[1], row["patch"]) if known else None
            if agrees is not None:
                counts[bool(row["right"])][agrees] += 1
                listed.append({"ticket": row["ticket"], "right": row["right"], "agrees": agrees})
                print(row["ticket"], row["right"], agrees, counts, file=sys.stderr, flush=True)
    model.close()
    (no, yes), (wrong_no, wrong_yes) = counts[True], counts[False]
    figures = {
        "right": {"agrees": yes, "differs": no},
        "wrong": {"agrees": wrong_yes, "differs": wrong_no},
        "log_odds_agrees": round(
            math.log((yes + 0.5) / (yes + no + 1) / ((wrong_yes + 0.5) / (wrong_yes + wrong_no + 1))), 2
        ),
        "log_odds_differs": round(
            math.log((no + 0.5) / (yes + no + 1) / ((wrong_no + 0.5) / (wrong_yes + wrong_no + 1))), 2
        ),
        "seconds": round(model.seconds),
        "cases": listed,
    }
    emit("Agreement", figures, as_json=options.json)


if __name__ == "__main__":
    main()
