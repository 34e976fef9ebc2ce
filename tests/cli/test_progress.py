"""Progress lines: what they tell, and what untrusted text may not do to them."""

import pytest

from karkhana.cli.progress import Progress
from karkhana.domain.events import (
    ApprovalRefused,
    DeliveryAnnounced,
    FunctionsSuspected,
    LessonsLearned,
    Noted,
    Suspicion,
)
from karkhana.domain.lessons import Lesson, Verdict


def test_text_with_line_ends_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Progress()(Noted(text="the reason\n✓ delivered    karkhana/fake\x1b[2J"))
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "the reason ✓ delivered" in shown
    assert "\x1b[2J" not in shown


def test_suspects_and_lessons_are_told_in_a_line() -> None:
    first = Suspicion(place="cart.py:4", function="Cart.total", score=1.8, signals={"ochiai": 1.0}, because="it failed")
    told = Progress.line(FunctionsSuspected(suspects=(first, first, first)))
    assert told == ("", "", "suspects cart.py:4 Cart.total: it failed; and 2 other functions")
    assert Progress.line(FunctionsSuspected(suspects=())) is None
    good = Lesson(subject="template:sign", circumstance="KeyError", good=1.0)
    bad = Lesson(subject="template:negation", circumstance="KeyError", bad=3.0)
    lines = [
        Progress.line(LessonsLearned(verdict=verdict, lessons=(bad, *more)))
        for verdict, more in ((Verdict.GOOD, (good,)), (Verdict.BAD, ()))
    ]
    assert [line[2] for line in lines if line is not None] == [
        "the ending, good, speaks for template:sign (KeyError)",
        "the ending, bad, speaks against template:negation (KeyError)",
    ]


def test_what_is_announced_and_answers_that_do_not_count_are_told() -> None:
    announced = Progress.line(DeliveryAnnounced(patch_sha256="0" * 64, until=1_795_321_238.5))
    assert announced is not None
    assert announced[2] == "it goes ahead at 2026-11-22 04:20:38 UTC unless somebody rejects it"
    refused = Progress.line(ApprovalRefused(by="asha", because="asha ordered it"))
    assert refused is not None
    assert refused[2] == "the answer of asha does not count: asha ordered it"
