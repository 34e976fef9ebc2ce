"""The stream of bugs, the memory, and the arithmetic of the learning benchmark."""

import itertools
from collections import Counter
from pathlib import Path

import msgspec
from benchmarks.learning import Memory, figures_of, quarters, replay
from benchmarks.learning_stream import Prepared, kept, prepare, stream
from benchmarks.seeded import Library

from karkhana.domain.lessons import Credit, Lesson, Role, Verdict

TEXT = "LIMIT = 3\n\n\n" + "".join(
    f"def f{n}(a, b, c):\n    if a < b and not c:\n        return a + b - {n}\n    return len(a[1:b])\n\n\n"
    for n in range(30)
)
LIBRARY = Library(repository="o/shop", modules=["shop.py"], tests="python -m pytest", texts={"shop.py": TEXT})


def test_the_stream_is_skewed_repeatable_and_without_repetition() -> None:
    first, again, other = (list(itertools.islice(stream(LIBRARY, seed), 100)) for seed in (1, 1, 2))
    assert first == again != other
    assert len({case.seed for case in first}) == 100
    kinds = Counter(case.seed.kind for case in first)
    assert "constant" not in kinds
    assert kinds.most_common(1)[0][1] > 100 / len(kinds)


def test_outcomes_add_up_in_the_memory() -> None:
    memory = Memory()
    credit = Credit(subject="template:a", circumstance="KeyError", role=Role.USED)
    for verdict in (Verdict.GOOD, Verdict.GOOD, Verdict.BAD, Verdict.ABSTAINED):
        memory.learn([credit], verdict)
    assert memory.lessons == (Lesson(subject="template:a", circumstance="KeyError", good=2.0, bad=1.0),)


def test_quarters_leave_out_what_was_not_repaired() -> None:
    rows = [{"until": n} for n in (100, None, 50, 60, 60, 60, 20, None)]
    assert quarters(rows, "until") == (100, 20, 0.8)
    assert quarters(rows[:3], "until") == (None, None, None)
    assert quarters([{"until": None}] * 8, "until") == (None, None, None)


def test_figures() -> None:
    row = {"passing": True, "right": True, "until": 4, "tried": 9, "rank": 4, "rank_unlearned": 4}
    figures = figures_of([row, {**row, "passing": False, "right": False}] * 2, cpu_s=8.0)
    assert (figures["total"], figures["right"], figures["abstained"], figures["median_cpu_s"]) == (4, 2, 2, 2.0)
    assert figures["until_fall"] == 0.0


def test_candidates_of_bugs_without_a_repair_are_counted_apart() -> None:
    row = {"passing": True, "right": True, "until": 4, "tried": 90, "rank": 4, "rank_unlearned": 4}
    lost = {**row, "passing": False, "right": False, "tried": 8000}
    figures = figures_of([row, lost, row, row, row, row, {**row, "tried": 30}, lost], cpu_s=8.0)
    assert (figures["tried_first"], figures["tried_last"], figures["tried_fall"]) == (90, 30, 0.667)
    assert (figures["tried_by_all_first"], figures["tried_by_all_last"]) == (4045, 4015)


def bug(right: list[int]) -> Prepared:
    templates = ["negation"] * 300 + ["sign"] * 4
    return Prepared(
        kind="sign left out",
        function="f",
        line=1,
        error="AssertionError",
        templates=templates,
        scores=[1.0] * len(templates),
        suspects=[0] * len(templates),
        signals=[{"ochiai": 1.0}],
        right=right,
    )


def test_a_replayed_stream_learns_the_template_that_repairs() -> None:
    memory = Memory()
    rows = [replay(bug([301]), memory) for _ in range(8)]
    assert (rows[0]["until"], rows[0]["template"]) == (302, "sign")
    assert rows[-1]["until"] == 2
    assert rows[-1]["rank_unlearned"] == 302
    assert rows[0]["tried"] == rows[-1]["tried_unlearned"] == 304
    # The fewest rivals are tried when one sign of four repairs and all else has become unlikely.
    rows = [replay(bug([301]), memory) for _ in range(40)]
    assert rows[-1]["tried"] == 102


def test_a_replayed_stream_learns_which_signal_points_at_the_fault() -> None:
    memory = Memory()
    faults = Prepared(
        kind="sign left out",
        function="f",
        line=1,
        error="AssertionError",
        templates=["sign"] * 400,
        scores=[1.0] * 400,
        suspects=[0] * 200 + [1] * 200,
        signals=[{"ochiai": 1.0, "words": 0.0}, {"ochiai": 0.0, "words": 0.9}],
        right=[200],
    )
    rows = [replay(faults, memory) for _ in range(12)]
    assert (rows[0]["until"], rows[-1]["until"], rows[-1]["rank_unlearned"]) == (201, 1, 201)


def test_a_bug_that_no_template_repairs_is_an_abstention() -> None:
    memory = Memory()
    row = replay(bug([]), memory)
    assert (row["right"], row["until"], row["tried"]) == (False, None, 304)
    assert all(lesson.good == 0 for lesson in memory.lessons)


def test_prepared_bugs_are_kept_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert kept(path) == kept(None) == []
    path.write_bytes(b"".join(msgspec.json.encode(bug([n])) + b"\n" for n in (1, 2)))
    assert [known.right for known in kept(path)] == [[1], [2]]
    assert prepare(LIBRARY, 1, 2, 2, path) == []
