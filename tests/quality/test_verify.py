"""Running gates."""

import msgspec
import pytest
from quality_contexts import PYTEST, real_context, still_context

from karkhana.domain.errors import InfrastructureFailure, LeaseLost
from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.ports import GateContext
from karkhana.quality.confidence import score
from karkhana.quality.gates import GATES, default_gates
from karkhana.quality.review import review
from karkhana.quality.verify import verify


class Fixed:
    """A gate that always says the same, or raises it."""

    def __init__(self, name: str, outcome: GateStatus | BaseException) -> None:
        self.name = name
        self._outcome = outcome

    def check(self, context: GateContext) -> GateResult:
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return GateResult(gate=self.name, status=self._outcome, summary="fixed")


def test_results_come_in_order_and_progress_is_told() -> None:
    told: list[str] = []
    gates = [Fixed("a", GateStatus.PASSED), Fixed("b", GateStatus.FAILED)]
    with still_context({}, {}) as context:
        evidence = verify(gates, context, progress=lambda result: told.append(result.gate), disagreement=0.5)
    assert [g.gate for g in evidence.gates] == told == ["a", "b"]
    assert evidence.disagreement == 0.5


def test_a_broken_machine_is_unknown_with_its_reason() -> None:
    with still_context({}, {}) as context:
        evidence = verify([Fixed("a", InfrastructureFailure("the sandbox is gone"))], context)
    assert evidence.gates[0].status is GateStatus.UNKNOWN
    assert "the sandbox is gone" in evidence.gates[0].summary


@pytest.mark.parametrize("error", [ZeroDivisionError(), LeaseLost()])
def test_bugs_and_signals_rise(error: BaseException) -> None:
    with still_context({}, {}) as context, pytest.raises(type(error)):
        verify([Fixed("a", error)], context)


def test_every_gate_is_named_like_its_key() -> None:
    assert [gate.name for gate in default_gates()] == list(GATES)


BUGGY = {
    "shop/cart.py": '"""A cart."""\n\n\ndef total(prices, discount=0):\n    return sum(prices) + discount\n',
    "tests/test_cart.py": (
        "from shop.cart import total\n\n\ndef test_discount():\n    assert total([10, 5], 3) == 12\n\n\n"
        "def test_plain():\n    assert total([10, 5]) == 15\n"
    ),
}


def judged(after: dict[str, str], before: dict[str, str] = BUGGY) -> float:
    with real_context(before, after, ticket="total adds the discount", command=PYTEST) as context:
        findings = review(context.change, context.contents, context.ticket, context.baseline, context.result)
        evidence = verify(default_gates(), context, review=findings)
    return score(evidence, (0, 0)).score


@pytest.mark.slow
def test_a_clean_fix_is_for_the_canary_end_to_end() -> None:
    fixed = BUGGY | {"shop/cart.py": BUGGY["shop/cart.py"].replace("+ discount", "- discount")}
    assert 0.80 <= judged(fixed) <= 0.90


@pytest.mark.slow
def test_a_special_case_for_the_test_waits_for_a_person_end_to_end() -> None:
    special = BUGGY["shop/cart.py"].replace(
        "    return", "    if prices == [10, 5] and discount == 3:\n        return 12\n    return"
    )
    assert judged(BUGGY | {"shop/cart.py": special}) < 0.70


@pytest.mark.slow
def test_a_deleted_test_waits_for_a_person_end_to_end() -> None:
    without = BUGGY["tests/test_cart.py"].partition("def test_plain")[0]
    assert judged(BUGGY | {"tests/test_cart.py": without}) < 0.70


@pytest.mark.slow
def test_a_human_change_with_its_own_test_end_to_end() -> None:
    fixed = BUGGY["shop/cart.py"].replace("+ discount", "- discount")
    before = {"shop/cart.py": BUGGY["shop/cart.py"], "tests/test_other.py": "def test_other():\n    pass\n"}
    assert (
        0.80
        <= judged({**before, "shop/cart.py": fixed, "tests/test_cart.py": BUGGY["tests/test_cart.py"]}, before)
        <= 0.90
    )


def test_results_survive_storage() -> None:
    with still_context({}, {}) as context:
        evidence = verify([Fixed("a", GateStatus.PASSED)], context)
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=type(evidence)) == evidence
