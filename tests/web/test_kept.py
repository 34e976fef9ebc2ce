"""What is kept for a moment: made once for those who ask together, anew when it is old, and never after an error."""

import threading
import weakref

import pytest

from karkhana.web.kept import REMEMBERED, Kept


def test_it_is_made_anew_when_it_is_old():
    now, made = [0.0], []
    kept = Kept(fresh_s=10, clock=lambda: now[0])

    def make() -> int:
        made.append(1)
        return len(made)

    assert [kept.of("a", make)[1] for _ in range(3)] == [1, 1, 1]
    now[0] = 11
    assert kept.of("a", make)[1] == 2
    assert kept.of("b", make)[1] == 3


def test_what_is_old_is_let_go_when_anybody_asks_for_anything():
    now = [0.0]
    kept = Kept(fresh_s=10, clock=lambda: now[0])
    value = kept.of("a", lambda: {1})[1]
    seen = weakref.ref(value)
    del value
    now[0] = 10
    kept.of("b", lambda: 0)
    assert seen() == {1}
    now[0] = 11
    kept.of("b", lambda: 0)
    assert seen() is None


def test_those_who_ask_together_share_one():
    kept, going, made = Kept(), threading.Event(), []

    def make() -> int:
        made.append(1)
        going.wait(10)
        return 7

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.of("a", make)[1])) for _ in range(5)]
    for thread in threads:
        thread.start()
    going.set()
    for thread in threads:
        thread.join(10)
    assert (found, len(made)) == ([7] * 5, 1)


def test_an_error_is_not_kept_and_much_is_forgotten():
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.of("a", lambda: 1 // 0)
    assert kept.of("a", lambda: 1)[1] == 1
    for number in range(REMEMBERED + 1):
        kept.of(number, lambda: 0)
    assert kept.of("a", lambda: 2)[1] == 2
