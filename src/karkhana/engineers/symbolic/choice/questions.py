"""What two plausible changes disagree on, as a question that a reporter can answer without reading code.

Knows the texts of inputs and outcomes as :mod:`karkhana.behaviour.observation` gives them; runs nothing.

>>> question("f([])", "=0", "!ValueError")
'Should `f([])` return `0` or raise `ValueError`?'
>>> question("test_f with 3 → 4", "=passed: f 1; g 2", "=passed: f 1; g 5")
'When `test_f` uses `4` instead of `3`, should `g` return `2` or `5`?'
"""

import re

import msgspec

_SHOWN = 100
_SCRIPT = re.compile(r"(?P<test>\w+)(?: with (?P<old>.+?) → (?P<new>.+))?\Z", re.DOTALL)
_EFFECT = re.compile(r" and (?:argument (?P<number>\d+) = |(?P<variables>variables) )")
_ENDING = re.compile(r"[=!](?P<ending>\w+|\?): ?(?P<results>.*)\Z", re.DOTALL)
_GENERATOR = re.compile(r"\['generator'(?:, )?(?P<items>.*)\]\Z", re.DOTALL)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


class _Outcome(msgspec.Struct, frozen=True):
    value: str
    """With its mark."""
    effects: dict[str, str]
    """What was changed besides → what it became."""


def question(text: str, mine: str, other: str) -> str:
    """Which of two outcomes of one input is right; empty when the difference cannot be told."""
    script = _SCRIPT.match(text)
    if script is None:
        return _of_call(f"`{_short(text)}`", mine, other, "")
    when = f"`{script['test']}` uses {_code(script['new'])} instead of {_code(script['old'])}" if script["old"] else ""
    return _of_script(f"`{script['test']}`", f"When {when}, s" if when else "S", mine, other)


def difference(text: str, mine: str, other: str) -> str:
    """The same as a statement, ``for INPUT: one against other``."""
    return f"for {text}: {_plain(mine)} against {_plain(other)}"


def _of_call(subject: str, mine: str, other: str, when: str) -> str:
    one, two = _parsed(mine), _parsed(other)
    should = f"{when}hould" if when else "Should"
    if one.value != two.value:
        return f"{should} {subject} {_alternatives(one.value, two.value)}?"
    for what in [*one.effects, *two.effects]:
        first, second = one.effects.get(what), two.effects.get(what)
        if first != second:
            after = "W" if not when else when[:-1] + "w"
            return f"{after}hat should {what} be after {subject}: {_left(first)}, or {_left(second)}?"
    return ""


def _of_script(subject: str, when: str, mine: str, other: str) -> str:
    """By the first call of the test that differs, else by its end."""
    one, two = _ENDING.match(mine), _ENDING.match(other)
    if one is not None and two is not None:
        for left, right in zip(one["results"].split("; "), two["results"].split("; "), strict=False):
            name, _, result = left.partition(" ")
            if left != right and right.startswith(name + " ") and name.isidentifier():
                return _of_call(f"`{name}`", "=" + result, "=" + right[len(name) + 1 :], when)
    return f"{when}hould {subject} {_end(mine)} or {_end(other)}?"


def _end(outcome: str) -> str:
    match = _ENDING.match(outcome)
    if match is None:
        return _verb(outcome)
    ending = match["ending"]
    return "pass" if ending == "passed" else "fail" if ending == "AssertionError" else f"end with `{ending}`"


def _parsed(outcome: str) -> _Outcome:
    marks = list(_EFFECT.finditer(outcome))
    ends = [*(m.start() for m in marks[1:]), len(outcome)][: len(marks)]
    effects = {_affected(m): outcome[m.end() : end] for m, end in zip(marks, ends, strict=True)}
    return _Outcome(outcome[: marks[0].start()] if marks else outcome, effects)


def _affected(mark: re.Match[str]) -> str:
    if mark["variables"]:
        return "the variables of the module"
    number = int(mark["number"])
    return f"the {_ORDINALS[number]} argument" if number < len(_ORDINALS) else f"argument {number + 1}"


def _left(value: str | None) -> str:
    return "as before" if value is None else _code(value)


def _alternatives(one: str, other: str) -> str:
    first, second = _verb(one), _verb(other)
    word, _, rest = second.partition(" ")
    same = first.startswith(word + " ") and rest.startswith("`") and "`" in first
    return f"{first} or {rest if same else second}"


def _verb(outcome: str) -> str:
    mark, value = outcome[:1], outcome[1:]
    if mark == "!":
        return f"raise {_code(value)}"
    if mark == "~":
        return "run without an end"
    generated = _GENERATOR.match(value)
    if generated is not None:
        return f"yield {_code(generated['items'])}" if generated["items"] else "yield nothing"
    return f"return {_code(value)}"


def _plain(outcome: str) -> str:
    if outcome[:1] == "=":
        return _code(outcome[1:])
    return "no end" if outcome[:1] == "~" else f"raising {_short(outcome[1:])}"


def _code(text: str) -> str:
    return f"`{_short(text)}`"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
