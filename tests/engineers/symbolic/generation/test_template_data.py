"""Changes of data: entries, patterns, and what else a ticket's words lead to."""

import re

from karkhana.behaviour.validation import apply
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.declarations import declarations, names_in
from karkhana.engineers.symbolic.generation.scene import FileScene, Idea, Scene
from karkhana.engineers.symbolic.generation.source import FunctionView
from karkhana.engineers.symbolic.generation.told import Told


def entries(text: str, told: str) -> list[str]:
    """The files that one more entry gives, the likeliest first."""
    constants = declarations(text, dict.fromkeys(names_in(text), 1.0))
    ideas = catalogue()["data-entry"].file_ideas(FileScene(text, declarations=constants, told=Told(told)))
    return [apply(text, idea.edits) for idea in sorted(ideas, key=lambda i: -i.weight)]


def slips(text: str, told: str) -> list[tuple[Idea, str]]:
    view = FunctionView(text, 1, module_text=text)
    ideas = catalogue()["regular-expression"].ideas(Scene(view, told=Told(told)))
    return [(idea, apply(text, idea.edits)) for idea in ideas]


def test_an_entry_is_put_where_the_order_of_its_neighbours_wants_it() -> None:
    text = "TABLE = {\n    'B': one,\n    'D': one,\n    'F': two,\n}\n"
    (first, *_) = entries(text, "'EE' is missing")
    assert first == "TABLE = {\n    'B': one,\n    'D': one,\n    'EE': one,\n    'F': two,\n}\n"


def test_an_entry_goes_to_the_end_of_what_is_not_sorted_and_keeps_its_quotes() -> None:
    (first, *_) = entries('WORDS = ["yes", "no", "maybe"]\n', "take 'often' too")
    assert first == 'WORDS = ["yes", "no", "maybe", "often"]\n'


def test_an_entry_beside_characters_of_several_bytes() -> None:
    (first, *_) = entries("WORDS = ['дa', 'é', 'ж']\n", "take 'я' and 'often'")
    assert first in ("WORDS = ['дa', 'é', 'ж', 'often']\n", "WORDS = ['дa', 'é', 'ж', 'я']\n")


def test_data_of_other_kinds_get_no_word() -> None:
    assert entries("A = [1, 2, 3]\nB = {1: 'a', 2: 'b', 3: 'c'}\n", "take 'often'") == []


def test_a_slip_that_the_ticket_names_is_likelier_and_mended_in_all_its_places() -> None:
    text = "NOT_STRONG = r'((^| )x( |$))'\n"
    found = {made: idea.weight for idea, made in slips(text, "Newlines are whitespace too")}
    unspoken = {made: idea.weight for idea, made in slips(text, "Something else")}
    both = r"NOT_STRONG = r'((^|\s)x(\s|$))'" + "\n"
    assert found[both] > unspoken[both]


def test_a_class_learns_the_signs_that_the_pattern_is_about() -> None:
    assert r"A = r'(\[[^\]\[]+\])'" + "\n" in {made for _, made in slips(r"A = r'(\[[^\]]+\])'" + "\n", "")}
    assert "A = r'_([^_]+?)_'\n" in {made for _, made in slips("A = r'_(.+?)_'\n", "")}


def test_an_alternation_learns_a_word_of_the_ticket() -> None:
    assert "A = r'(?:jpg|png|webp)$'\n" in {made for _, made in slips("A = r'(?:jpg|png)$'\n", "take 'webp'")}


def test_a_flag_joins_those_that_are_given() -> None:
    texts = {made for _, made in slips("A = re.compile(r'a', re.DOTALL)\n", "")}
    assert "A = re.compile(r'a', re.DOTALL | re.IGNORECASE)\n" in texts
    assert not any(re.search(r"DOTALL.*DOTALL", text) for text in texts)
