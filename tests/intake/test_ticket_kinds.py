import pytest

from karkhana.domain.tasks import TaskType
from karkhana.intake.kind_of_work import features, guess
from karkhana.intake.missing import Given, given_in, lacking, question
from karkhana.intake.understanding import kind, priority
from karkhana.intake.words import take_apart


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("KeyError when the cart is empty\n\nIt crashes with a traceback when I open it.", "bugfix"),
        ("Add support for exporting orders as CSV\n\nIt would be nice to have an option for it.", "feature"),
        ("Bump urllib3 from 1.26.4 to 1.26.5", "deps"),
        ("add tests for the empty cart", "tests"),
        ("refactor: extract the pricing code into its own module", "refactor"),
    ],
)
def test_the_words_tell_the_kind(text, wanted):
    assert kind((), take_apart(text)).value == wanted


def test_a_label_goes_before_words():
    found = kind(("Tech Debt", "bug"), take_apart("Add support for yen"))
    assert (found.value, found.because) == ("bugfix", ("label bug",))
    assert kind(("enhancement",), take_apart("It crashes with an error")).value == "feature"


def test_words_that_say_nothing_make_a_repair():
    found = kind((), take_apart("zzqx"))
    assert (found.value, found.because) == (TaskType.BUGFIX.value, ("nothing clearer",))
    assert found.confidence < 0.4


def test_the_words_it_rests_on_are_in_the_text():
    text = "Crash in the parser\n\nIt raises an exception."
    _, probability, because = guess(take_apart(text))
    assert 0 < probability <= 1
    assert because
    assert all(word.startswith("(") or word in text.casefold() for word in because)


def test_a_long_text_does_not_drown_its_title():
    short, long = (features(take_apart("Fix crash\n\n" + "word and " * n)) for n in (1, 150))
    assert short["t:crash"] == long["t:crash"]


@pytest.mark.parametrize(
    ("labels", "text", "level"),
    [
        ((), "The total is off by one", 5),
        ((), "The shop is down for all users in production", 8),
        ((), "Please mend it by Friday", 7),
        ((), "A typo, no rush", 3),
        ((), "Minor, but it is in production", 5),
        (("P3",), "The shop is down for all users, urgent", 5),
        (("p0",), "down", 10),
        (("low", "urgent"), "x", 9),
    ],
)
def test_urgency_by_label_then_words(labels, text, level):
    found = priority(labels, text)
    assert found.value == str(level)
    assert bool(found.because) == (level != 5 or bool(labels) or "inor" in text)


@pytest.mark.parametrize(
    ("type", "text", "missing"),
    [
        ("bugfix", "The cart is broken", "observation"),
        ("bugfix", "`total([1])` returns 3", ""),
        ("bugfix", "It shows 3 and should show 4", ""),
        ("bugfix", "When I open the page it shows nothing", ""),
        ("bugfix", "KeyError: 1", ""),
        ("bugfix", "The cart is odd\n\n1. open the page\n2. click on it twice\n\nIt stays empty", ""),
        ("feature", "Dark mode", "example"),
        ("feature", "When I click export, I should get a file", ""),
        ("deps", "Upgrade it to 2.0", "package"),
        ("refactor", "Clean up the mess", "target"),
        ("tests", "More coverage for\n\n```\ncart.total()\n```", ""),
    ],
)
def test_what_a_ticket_lacks(type, text, missing):
    assert lacking(type, given_in(take_apart(text), text)) == missing


def test_what_the_repository_gives_is_not_asked():
    text = "The cart is broken"
    given = given_in(take_apart(text), text)
    assert lacking("bugfix", given) == "observation"
    assert lacking("bugfix", Given(failing_test=True)) == ""
    assert lacking("deps", Given(package=True)) == ""
    assert lacking("refactor", Given(place=True)) == ""


def test_the_question_names_what_is_there():
    assert question("observation", Given(call=True), subject="total([1])").startswith("What does `total([1])` give")
    assert "`Cart`" in question("observation", Given(place=True), subject="Cart")
    assert "{" not in question("observation", Given(), subject="")
    assert "that version" in question("package", Given(version=True), subject="")
    # braces of a stranger are no places to fill in
    assert "{0}" in question("observation", Given(call=True), subject="f('{0}')")


@pytest.mark.parametrize(
    "text",
    ["`total([1])` returns 2 instead of 1", "I expected 3 but got 4", "f\n\nTraceback (most recent call last):\n  x"],
)
def test_a_sentence_that_leaves_no_doubt_goes_before_words(text):
    assert kind((), take_apart(text), text).value == "bugfix"
    assert kind(("feature",), take_apart(text), text).value == "feature"
