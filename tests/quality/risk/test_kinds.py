"""Predicted kinds of bugs, and what repairs are taken for."""

import pytest

from karkhana.git.patches import FilePatch, Hunk
from karkhana.quality.gates import GATES
from karkhana.quality.risk.kinds import (
    MOST_EVIDENCE,
    Learned,
    PastRepairs,
    kinds_of_repair,
    load_catalogue,
    load_checks,
    load_learned,
    predict,
    step,
)


def change(*lines, path="cart.py"):
    return (FilePatch(path, path, (Hunk(10, (), 10, lines),)),)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (("lock = threading.Lock()", "await asyncio.gather(*tasks)", "async def pay():"), "concurrency"),
        (("when = datetime.now(tz)", "age = now - timedelta(days=1)"), "time"),
        (("os.environ['HOME']", "if sys.platform == 'win32':", "Path(os.path.join(a, b))"), "platform"),
        (("text = raw.decode('utf-8')", "re.sub(r'\\s+', ' ', text.strip())"), "text"),
    ],
)
def test_inviting_syntax_raises_a_kind(lines, kind):
    alike = {name: Learned(share=1 / 13, steps=(-1.0, 0.0, 0.5, 1.0), cuts=(10.0, 30.0)) for name in load_learned()}
    found = predict(change(*lines), PastRepairs(), 13, alike)
    assert kind in [one.kind for one in found[:3]]
    (this,) = (one for one in found if one.kind == kind)
    assert this.share > 1 / 13
    assert [(one.path, one.line, one.text) for one in this.evidence][:1] == [("cart.py", 10, lines[0])]


def test_shares_of_all_kinds_sum_to_one_and_checks_are_known():
    found = predict(change("x = y[1:]"), PastRepairs(), 99)
    assert sum(one.share for one in found) == pytest.approx(1)
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)
    assert {check for one in found for check in one.checks} <= set(load_checks())
    assert {one.kind for one in found} == set(load_catalogue().kinds) == set(load_learned())


def test_past_repairs_of_the_repository_and_of_the_file_count():
    past = PastRepairs()
    before = {one.kind: one.share for one in predict(change("x = y"), past, 13)}
    for number in range(20):
        past.add(f"{number:040x}", "Fix race between two threads", change("with lock:", path="other.py"))
    elsewhere = {one.kind: one for one in predict(change("x = y"), past, 13)}
    here = {one.kind: one for one in predict(change("x = y", path="other.py"), past, 13)}
    assert before["concurrency"] < elsewhere["concurrency"].share < here["concurrency"].share
    assert elsewhere["concurrency"].repaired_here == ()
    assert len(here["concurrency"].repaired_here) == MOST_EVIDENCE
    assert here["concurrency"].repaired_here[-1] == f"{19:040x}"


def test_repairs_are_told_by_their_message_and_else_by_their_lines():
    assert kinds_of_repair("Fix off-by-one in pages")[0] == "boundary"
    assert kinds_of_repair("Fix AttributeError when the cart is None")[0] == "none"
    assert "none" in kinds_of_repair("Mend it", change("if cart is not None:"))
    assert kinds_of_repair("Mend it", change("x = y")) == ()


def test_tests_documents_and_comments_say_nothing():
    assert predict(change("lock = threading.Lock()", path="tests/test_cart.py"), PastRepairs()) == ()
    assert predict(change("threading", path="README.md"), PastRepairs()) == ()
    assert predict(change("# threading.Lock()"), PastRepairs()) == ()
    assert predict((), PastRepairs()) == ()


def test_more_inviting_lines_never_speak_less_for_a_kind():
    for learned in load_learned().values():
        assert list(learned.steps) == sorted(learned.steps)
        assert learned.cuts[0] <= learned.cuts[1]
    one = Learned(share=0.1, steps=(-0.5, 0.0, 0.2, 0.4), cuts=(10.0, 50.0))
    assert [step(one, count, 100) for count in (0, 5, 10, 49, 50, 100)] == [-0.5, 0.0, 0.2, 0.2, 0.4, 0.4]


def test_each_check_is_done_by_a_gate_that_stands_or_told_to_a_person():
    checks = load_checks()
    assert {check.gate for check in checks.values() if check.gate is not None} <= set(GATES)
    named = {name for kind in load_catalogue().kinds.values() for name in kind.checks}
    assert named == set(checks)


def test_what_is_usual_is_told_beside_the_share():
    found = predict(change("x = y[1:]"), PastRepairs(), 99)
    assert sum(one.usual for one in found) == pytest.approx(1, abs=1e-3)
    assert {one.kind: round(one.usual, 6) for one in found} == {
        name: round(one.share, 6) for name, one in load_learned().items()
    }
