"""A small attack on the doors, of every kind that the benchmark knows."""

from benchmarks.webhook_fuzz import run


def test_nothing_hostile_is_accepted_and_nothing_crashes(tmp_path):
    counts, bad = run(400, 11, tmp_path)
    assert bad == {"accepted": [], "crashed": []}
    assert sum(counts.values()) == 400
    ways = {name.partition(" ")[0] for name in counts}
    assert {"forged", "replayed", "cut", "huge", "deep", "twice", "wrong_types", "late", "other_encoding"} <= ways
