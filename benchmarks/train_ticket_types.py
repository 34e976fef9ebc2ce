"""Trains the shipped model of what kind of work a ticket asks for, and says what it does on others' tickets.

    python -m benchmarks.train_ticket_types --dataset DIR --json     # a fifth of the repositories left out in turn
    python -m benchmarks.train_ticket_types --dataset DIR --write    # and writes intake/kind_of_work.toml
    python -m benchmarks.train_ticket_types --dataset DIR --shipped  # the shipped model on repositories it never saw

``--dataset``: see :mod:`benchmarks.ticket_corpora`. Repositories in :data:`NEVER` are not trained on, so that the
shipped model can be tried on them. An issue counts as often as a commit; its title alone is a second example, since
people write short tickets too.
"""

import argparse
import hashlib
import json
import sys
import warnings
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from benchmarks.common import emit
from benchmarks.ticket_corpora import Labelled, commits, issues
from karkhana.domain.tasks import TaskType
from karkhana.intake.kind_of_work import features
from karkhana.intake.likeness import stem
from karkhana.intake.understanding import kind
from karkhana.intake.words import take_apart

NEVER = frozenset({"opencv/opencv", "lepture/mistune", "pypa/packaging", "sdispater/tomlkit", "python-poetry/poetry"})
TYPES = tuple(each.value for each in TaskType)
PENALTIES = (1.0, 4.0)
RARE = 6
ROUNDS = 120
FOLDS = 5
WEAKEST = 0.15
"""Features all of whose weights are smaller are left out of the file."""
TARGET = Path(__file__).parents[1] / "src/karkhana/intake/kind_of_work.toml"
COMMON = TARGET.with_name("common_words.toml")
COMMON_LEAST = 6
"""Issues that a word must stand in to be counted as known."""
COMMON_STOP = 0.2
"""Share of issues from which a word tells nothing."""
MARKS = {
    "m:trace": "(a stack trace)",
    "m:error": "(an error's name)",
    "m:code": "(an example)",
    "m:asks": "(a question)",
    "m:bare": "(a title alone)",
    "m:long": "(a long text)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {"issues": list(issues(options.dataset)), "commits": list(commits(options.dataset))}
    known = [each for rows in found.values() for each in rows if each.source not in NEVER]
    table: dict[str, Any] = {"repositories": len({each.source for each in known}), "tickets": len(known)}
    if options.shipped:
        table = _shipped([each for rows in found.values() for each in rows if each.source in NEVER])
    else:
        table |= _left_out(known)
        if options.write:
            vectorizer, model = _trained(known, table["penalty"])
            TARGET.write_text(_toml(vectorizer, model, known, table), encoding="utf-8")
            COMMON.write_text(_common([each.text for each in known if "\n\n" in each.text]), encoding="utf-8")
    emit("the kind of work that a ticket asks for", table, as_json=options.json)


def _examples(rows: list[Labelled]) -> tuple[list[dict[str, float]], list[str]]:
    wanted, kinds = [], []
    for each in rows:
        wanted.append(_features(each.text))
        kinds.append(each.kind)
        if "\n\n" in each.text:
            wanted.append(_features(each.text.partition("\n\n")[0]))
            kinds.append(each.kind)
    return wanted, kinds


@cache
def _features(text: str) -> dict[str, float]:
    return features(take_apart(text))


def _trained(rows: list[Labelled], penalty: float) -> tuple[DictVectorizer, LogisticRegression]:
    wanted, kinds = _examples(rows)
    counts: Counter[str] = Counter()
    for each in wanted:
        counts.update(each.keys())
    often = [{name: value for name, value in each.items() if counts[name] >= RARE} for each in wanted]
    vectorizer = DictVectorizer()
    model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=ROUNDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so many rounds are enough for two decimals
        model.fit(vectorizer.fit_transform(often), kinds)
    return vectorizer, model


def _left_out(rows: list[Labelled]) -> dict[str, Any]:
    folds = {source: number % FOLDS for number, source in enumerate(sorted({each.source for each in rows}))}
    best: dict[str, Any] = {}
    for penalty in PENALTIES:
        truth: dict[str, list[str]] = defaultdict(list)
        said: dict[str, list[str]] = defaultdict(list)
        for fold in range(FOLDS):
            vectorizer, model = _trained([each for each in rows if folds[each.source] != fold], penalty)
            held = [each for each in rows if folds[each.source] == fold]
            kinds = model.predict(vectorizer.transform([_features(each.text) for each in held]))
            for each, found in zip(held, kinds, strict=True):
                where = "issues" if "\n\n" in each.text else "commits"
                truth[where].append(each.kind)
                said[where].append(str(found))
        figures: dict[str, Any] = {"penalty": penalty}
        for where, kinds_there in truth.items():
            figures |= _figures(where, kinds_there, said[where])
        print(json.dumps(figures), file=sys.stderr)
        if not best or _worst(figures) > _worst(best):
            best = figures
    return best


def _worst(figures: dict[str, Any]) -> float:
    return min(float(value) for name, value in figures.items() if name.endswith("macro_f1"))


def _shipped(rows: list[Labelled]) -> dict[str, Any]:
    table: dict[str, Any] = {"repositories": len({each.source for each in rows}), "tickets": len(rows)}
    for where in ("issues", "commits"):
        here = [each for each in rows if ("\n\n" in each.text) == (where == "issues")]
        if here:
            table |= _figures(where, [e.kind for e in here], [kind((), take_apart(e.text), e.text).value for e in here])
    return table


def _figures(where: str, truth: list[str], said: list[str]) -> dict[str, Any]:
    names = sorted(set(truth))
    each = f1_score(truth, said, labels=names, average=None, zero_division=0.0)
    return {
        f"{where}": len(truth),
        f"{where}_accuracy": round(float(accuracy_score(truth, said)), 3),
        f"{where}_macro_f1": round(float(np.mean(each)), 3),
        f"{where}_f1": {name: round(float(value), 3) for name, value in zip(names, each, strict=True)},
    }


def _toml(vectorizer: DictVectorizer, model: LogisticRegression, rows: list[Labelled], table: dict[str, Any]) -> str:
    order = [list(model.classes_).index(name) for name in TYPES]
    sources = sorted({each.source for each in rows})
    digest = hashlib.sha256("\n".join(sorted(each.text for each in rows)).encode()).hexdigest()
    lines = [
        "# Made by benchmarks/train_ticket_types.py; do not edit. Weights of words, learned from issues that",
        "# nlbse2024/issue-report-classification labels and from commits whose authors named the kind of work. No text",
        "# of them is here.",
        f"# Left out in turn, macro F1: issues {table['issues_macro_f1']}, commits {table['commits_macro_f1']}.",
        f"types = {json.dumps(list(TYPES))}",
        f"bias = {json.dumps([round(float(model.intercept_[place]), 3) for place in order])}",
        f"sources = {json.dumps(sources)}",
        f"tickets = {len(rows)}",
        f'sha256 = "{digest}"',
        "",
        "[marks]",
        *(f"{json.dumps(name)} = {json.dumps(text)}" for name, text in MARKS.items()),
        "",
        "[weights]",
    ]
    for column, name in enumerate(vectorizer.get_feature_names_out()):
        weights = [round(float(model.coef_[place][column]), 2) for place in order]
        if max(map(abs, weights)) >= WEAKEST:
            lines.append(f"{json.dumps(name)} = {json.dumps(weights)}")
    return "\n".join(lines) + "\n"


def _common(texts: list[str]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for text in texts:
        parts = take_apart(text)
        for word in {stem(each) for each in (*parts.title, *parts.prose, *parts.code) if len(each) > 2}:
            counts[word] += 1
    stop = sorted(word for word, count in counts.items() if count >= COMMON_STOP * len(texts))
    known = sorted(word for word, count in counts.items() if COMMON_LEAST <= count < COMMON_STOP * len(texts))
    lines = [
        "# Made by benchmarks/train_ticket_types.py; do not edit. In how many of the issues that it was trained on",
        "# a word's stem stands, and those that stand in so many that they tell nothing.",
        f"tickets = {len(texts)}",
        f"stop = {json.dumps(stop)}",
        "",
        "[words]",
        *(f"{json.dumps(word)} = {counts[word]}" for word in known),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
