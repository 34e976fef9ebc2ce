"""Tasks are found by the beginnings of words of their titles, however many there are, on both databases."""

import pytest
import sqlalchemy as sa
from storage_support import ORDER

from karkhana.storage import title_words
from karkhana.storage.run_lists import RunLists
from karkhana.storage.title_words import candidates, fits, words_of


@pytest.fixture
def found(database, tasks):
    """Adds titles, and tells which of them come to mind, the newest first."""
    titles = "The parcel is too heavy", "Parse the ADDRESS", "the zebra", "Überweisung an Zoë", "test_parser.py fails"
    for title in titles:
        tasks.add_and_claim(ORDER, "worker", 20.0, title=title)

    def look(*words: str) -> list[str]:
        with database.reading() as connection:
            numbers = candidates(connection, words)
            query = sa.text("SELECT title FROM tasks WHERE ordinal = :number")
            titles = [connection.execute(query, {"number": number}).scalar_one() for number in numbers]
        return [title for title in titles if fits(words, title)]

    return look


def test_beginnings_of_words_find_the_newest_first(found):
    assert found("par") == ["test_parser.py fails", "Parse the ADDRESS", "The parcel is too heavy"]
    assert found("pars", "the") == ["Parse the ADDRESS"]
    assert found("über") == found("zoë") == ["Überweisung an Zoë"]
    assert found("test_p") == ["test_parser.py fails"]
    assert found("arcel") == found("parcel", "zebra") == found() == []


def test_one_letter_is_looked_for_among_the_newest(found, monkeypatch):
    assert found("z") == ["Überweisung an Zoë", "the zebra"]
    assert found("pars", "a") == ["Parse the ADDRESS"]
    monkeypatch.setattr(title_words, "NEWEST", 2)
    assert found("z") == ["Überweisung an Zoë"]


def test_common_words_are_cut_by_each_other(found, monkeypatch):
    monkeypatch.setattr(title_words, "RARE", 0)
    assert found("the", "par") == ["Parse the ADDRESS", "The parcel is too heavy"]
    assert found("the", "zebra") == ["the zebra"]


def test_what_a_question_means_is_no_pattern(found):
    for word in ("par%", "par_", "*", "\0", "'"):
        assert found(word) == []


def test_a_title_of_many_or_long_words_is_no_burden():
    assert len(words_of(" ".join(f"w{n}" for n in range(500)))) <= title_words.MOST
    assert max(map(len, words_of("x" * 5000))) <= title_words.LONGEST
    assert words_of("\x00 \u202e ...") == []


def test_restricted_readers_find_theirs_only(database, tasks):
    _, claim = tasks.add_and_claim(ORDER, "worker", 20.0, product="ours", title="a shared word")
    tasks.add_and_claim(ORDER, "worker", 20.0, product="theirs", title="a shared word")
    rows = RunLists(database).named("shared", visible=(False, frozenset(("ours",))))
    assert [row.run_id for row in rows] == [claim.run_id]
