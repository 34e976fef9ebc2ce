"""What a person is told of a risk."""

from karkhana.domain.risks import InvitingLine, LikelyBug, Risk, in_brief, in_full

TIME = LikelyBug(
    kind="time",
    says="a clock is taken for another",
    share=0.42,
    usual=0.06,
    evidence=tuple(InvitingLine(path="cart.py", line=line, text=f"now_{line}()") for line in (7, 8, 9)),
    repaired_here=("a" * 40, "b" * 40),
    checks=("differential", "other_clocks"),
    asks=True,
)


def test_the_chance_and_the_likeliest_kinds_in_a_line() -> None:
    risk = Risk(chance=0.314, kinds=(TIME, LikelyBug(kind="text", says="", share=0.1, usual=0.1)))
    assert in_brief(risk).endswith("if so, most likely: time (42%), text (10%)")
    assert in_brief(risk).startswith("31%")
    assert "not known" in in_brief(Risk(chance=None))
    assert in_brief(Risk(chance=0.0)).startswith("0%")


def test_a_reviewer_is_told_where_and_what_no_gate_does() -> None:
    risk = Risk(chance=0.3, reasons=("its size",), kinds=(TIME,), checks=("differential",), advice=("turn the clock",))
    told = in_full(risk)
    assert "    its size" in told
    assert "        cart.py:7: now_7()" in told
    assert not any("now_9" in line for line in told)
    assert any("aaaaaaaaaaaa, bbbbbbbbbbbb" in line for line in told)
    assert told[-3:] == [
        "Looked at the more closely for that: differential",
        "No gate looks for this, so a person should:",
        "    turn the clock",
    ]
    assert in_full(Risk(chance=0.0, reasons=("it touches no code",))) == [
        "0% of changes like this one needed a fix later",
        "    it touches no code",
    ]
    assert TIME.lift == 7.0
