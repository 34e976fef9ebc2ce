from karkhana.engineers.llm.stuck import Watch


def patterns(steps: list[tuple[str, str, bool]]) -> list[str]:
    watch = Watch()
    found = [watch.seen(call, result, failed=failed) for call, result, failed in steps]
    return [pattern.name for pattern in found if pattern is not None]


def test_the_same_call_with_the_same_result_is_a_repeat() -> None:
    assert patterns([("a", "1", False)] * 3) == ["repeat"]
    assert patterns([("a", "1", False)] * 6) == ["repeat", "repeat"]


def test_the_same_call_with_other_results_is_none() -> None:
    assert patterns([("run_tests", str(n), False) for n in range(20)]) == []


def test_failures_in_a_row_are_an_error_loop() -> None:
    assert patterns([(f"a{n}", "no", True) for n in range(5)]) == ["errors"]
    mixed = [(f"a{n}", "no", n % 4 != 3) for n in range(20)]
    assert patterns(mixed) == []


def test_going_back_and_forth_is_seen() -> None:
    assert patterns([("a", "1", False), ("b", "2", False)] * 3) == ["alternation"]
    assert patterns([("a", "1", False), ("b", "2", False), ("c", "3", False)] * 4) == []
