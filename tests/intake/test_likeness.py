import pytest

from karkhana.intake.likeness import SUGGESTED, TERMS_MAX, Shelf, filled_in, sketch, trace_likeness

TRACE = 'It fails\n\nFile "a.py", line {0}, in outer\nFile "b.py", line {0}, in inner\n{1}: {0}'


def shelf(*texts):
    found = Shelf()
    for number, text in enumerate(texts, 1):
        found.put(f"T{number}", sketch(text))
    return found


def test_a_paraphrase_is_found_and_says_why():
    found = shelf("Discount code ignored in cart total", "Login page is slow").like(
        sketch("Cart total ignores discount code")
    )
    assert [each.task_id for each in found] == ["T1"]
    assert found[0].likeness > 0.9
    assert {"discount", "cart"} <= set(found[0].because)


def test_another_matter_is_not():
    assert shelf("Discount code ignored in cart total").like(sketch("Cart page does not load on phones")) == ()


def test_the_same_trace_is_found_under_other_words():
    ours = "Checkout broke for me" + TRACE.format(3, "KeyError").removeprefix("It fails")
    found = shelf(ours).like(sketch(TRACE.format(9, "KeyError")), threshold=0.6)
    assert [each.because[0] for each in found] == ["the same stack trace (KeyError)"]
    same, other = sketch(TRACE.format(3, "KeyError")), sketch(TRACE.format(9, "KeyError"))
    assert trace_likeness(same, other) == pytest.approx(1.0)
    assert trace_likeness(same, sketch(TRACE.format(9, "ValueError"))) == pytest.approx(0.5)
    assert trace_likeness(same, sketch("no trace")) is None


def test_frames_near_the_error_count_more():
    base = sketch('x\nFile "a.py", line 1, in f\nFile "b.py", line 1, in g\nKeyError: 1')
    near = sketch('x\nFile "z.py", line 1, in z\nFile "b.py", line 1, in g\nKeyError: 1')
    far = sketch('x\nFile "a.py", line 1, in f\nFile "z.py", line 1, in z\nKeyError: 1')
    assert trace_likeness(base, near) > trace_likeness(base, far)


def test_one_form_filled_in_twice_is_two_tickets():
    library, addon = "Should add the Library tour in the overlay", "Should add the Screenshots tour in the overlay"
    assert shelf(library).like(sketch(addon)) == ()
    assert [each.task_id for each in shelf(library).like(sketch(library))] == ["T1"]
    assert filled_in(("a", "b", "c"), ("a", "x", "c"))
    assert not filled_in(("a", "b"), ("a", "b"))
    assert not filled_in((), ("a",))


def test_a_ticket_is_not_like_itself_when_left_out():
    assert shelf("Cart total is wrong").like(sketch("Cart total is wrong"), without=("T1",)) == ()


def test_only_the_newest_are_kept_and_few_are_suggested():
    full = Shelf(most=5)
    for number in range(9):
        full.put(f"T{number}", sketch("Cart total ignores discount code"))
    found = full.like(sketch("Cart total ignores discount code"))
    assert len(found) == SUGGESTED
    assert {each.task_id for each in found} <= {"T4", "T5", "T6", "T7", "T8"}


def test_a_sketch_is_bounded():
    found = sketch(" ".join(f"t{'x' * (n % 40)}{chr(97 + n % 26)}" for n in range(5000)) + "\n" + "word " * 9000)
    assert len(found.title) <= 40
    assert len(found.terms) <= TERMS_MAX
