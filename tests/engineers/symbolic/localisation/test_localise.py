"""Suspicion by spectrum, traceback and words; the choice of target tests."""

import pytest

from karkhana.behaviour.spectra import Failure, Frame, FunctionPlace, Spectrum, TestRun
from karkhana.engineers.symbolic.localisation.localise import (
    localise,
    ochiai,
    ranks,
    shipped_weights,
    suspicion,
    why,
    words_of,
)
from karkhana.engineers.symbolic.localisation.targets import choose_targets, groups


def spectrum(*, ticket_frames: bool = False) -> Spectrum:
    frames = (Frame("test_a.py", 3, "test_total"), Frame("shop.py", 12, "total")) if ticket_frames else ()
    failure = Failure(type="AssertionError", message="assert 4 == 3", frames=frames)
    return Spectrum(
        tests=(
            TestRun(name="test_a.py::test_total", outcome="failed", seconds=0.01, failure=failure),
            TestRun(name="test_a.py::test_name", outcome="passed", seconds=0.01),
            TestRun(
                name="test_a.py::test_shipping_label",
                outcome="failed",
                seconds=0.01,
                failure=Failure(type="KeyError", message="'zip'", frames=(Frame("shop.py", 22, "label"),)),
            ),
        ),
        coverage={
            "shop.py": {11: (0, 1), 12: (0,), 13: (0, 1), 21: (2,), 22: (2,)},
            "test_a.py": {2: (0,), 3: (0,), 5: (1,), 7: (2,)},
        },
        functions={
            "shop.py": (
                FunctionPlace(name="total", top=10, start=10, end=14),
                FunctionPlace(name="label", top=20, start=20, end=23),
                FunctionPlace(name="unused", top=30, start=30, end=33),
            ),
            "test_a.py": (FunctionPlace(name="test_total", top=1, start=1, end=3),),
        },
    )


def test_ochiai_by_hand() -> None:
    assert ochiai(1, 1, 1) == 1 / 2**0.5
    assert ochiai(0, 5, 1) == 0.0
    assert ochiai(2, 0, 2) == 1.0


def test_only_functions_that_the_targets_run_are_suspects() -> None:
    suspects = localise(spectrum(), [0], "")
    assert [s.place.name for s in suspects] == ["total"]
    assert suspects[0].lines[12] > suspects[0].lines[11]
    assert suspects[0].passing == (1,)


def test_traceback_and_words_raise_suspicion() -> None:
    plain = localise(spectrum(), [0, 2], "")
    told = localise(spectrum(), [0, 2], "the shipping label lacks its zip code")
    assert plain[0].place.name == "label"
    score = {s.place.name: s.score for s in told}
    assert score["label"] > next(s.score for s in plain if s.place.name == "label")
    traced = localise(spectrum(ticket_frames=True), [0], "")
    assert traced[0].lines[12] > localise(spectrum(), [0], "")[0].lines[12]


def test_words_split_identifiers_and_drop_the_commonest() -> None:
    assert words_of("HTTPServer does not parse_url") == {"http", "server", "parse", "url"}


def test_targets_named_by_the_ticket() -> None:
    chosen = choose_targets(spectrum(), "test_a.py::test_total fails since Monday")
    assert chosen.chosen == (0,)
    assert chosen.others == (2,)
    assert "named" in chosen.why


def test_targets_by_words_of_the_ticket() -> None:
    assert choose_targets(spectrum(), "KeyError when printing a shipping label").chosen == (2,)


def test_all_failing_tests_are_targets_when_the_ticket_tells_nothing() -> None:
    assert choose_targets(spectrum(), "please repair").chosen == (0, 2)


def test_targets_are_grouped_by_where_they_fail() -> None:
    assert groups(spectrum(ticket_frames=True), (0, 2)) == [(0,), (2,)]


def test_every_suspicion_names_its_reasons() -> None:
    suspect = localise(spectrum(ticket_frames=True), [0], "total() is 4")[0]
    reasons = {r.signal: r for r in suspect.reasons}
    assert reasons["traceback"].value == 1.0
    assert reasons["named"].value == 1.0
    assert suspect.score == pytest.approx(sum(r.value * r.weight for r in suspect.reasons), abs=1e-3)
    assert why(suspect).startswith("failing tests run it and passing ones do not")
    assert why(suspect).count(";") == 2


def test_weights_decide_which_signal_leads() -> None:
    told = "the shipping label"
    by_words = localise(spectrum(), [0, 2], told, weights={"words": 1.0})
    by_traceback = localise(spectrum(ticket_frames=True), [0], told, weights={"traceback": 1.0})
    assert by_words[0].place.name == "label"
    assert by_traceback[0].place.name == "total"


def test_texts_are_read_once_per_file_and_only_as_needed() -> None:
    asked: list[str] = []

    def read(path: str) -> str | None:
        asked.append(path)
        return "\n" * 9 + "def total(items):\n    # discount\n" + "\n" * 40

    plain = localise(spectrum(), [0, 2], "the discount is lost")
    with_text = localise(spectrum(), [0, 2], "the discount is lost", read=read)
    assert asked == ["shop.py"]
    assert {s.place.name: s.score for s in with_text}["total"] > {s.place.name: s.score for s in plain}["total"]


def test_files_that_cannot_be_read_do_no_harm() -> None:
    assert localise(spectrum(), [0], "", read=lambda _path: None) == localise(spectrum(), [0], "")


def test_new_lines_are_suspicious() -> None:
    recent = {"shop.py": {12: 0}}
    old, new = (localise(spectrum(), [0], "", recent=r)[0].score for r in ({}, recent))
    assert new == pytest.approx(old + shipped_weights()["recency"])


def test_ranks_count_ties_against_a_signal() -> None:
    suspects = localise(spectrum(), [0, 2], "")
    found = ranks(suspects, next(s for s in suspects if s.place.name == "total"))
    assert found["traceback"] == 2
    assert "named" not in found


def test_all_weights_have_words() -> None:
    assert shipped_weights().keys() == {r.signal for r in localise(spectrum(), [0], "")[0].reasons}


def test_a_suspicion_tells_the_signals_that_speak() -> None:
    told = suspicion(localise(spectrum(ticket_frames=True), [0], "total() is 4")[0])
    assert (told.place, told.function) == ("shop.py:10", "total")
    assert next(iter(told.signals)) == "ochiai"
    assert "recency" not in told.signals
    assert sum(told.signals.values()) == pytest.approx(told.score, abs=1e-3)
    assert told.because.endswith(")")
