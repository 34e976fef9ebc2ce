"""How much effort gates are given."""

import pytest
from quality_contexts import real_context, still_context

from karkhana.domain.evidence import GateResult, GateStatus
from karkhana.domain.settings import DEAR_GATES
from karkhana.ports import Gate, GateContext
from karkhana.quality.gates import GATES, default_gates
from karkhana.quality.gates.limits import limits, other_limits
from karkhana.quality.gates.mutation import Mutation
from karkhana.quality.gates.selection import LEFT_OUT, effort_of, rules, select
from karkhana.quality.verify import verify


class Says:
    """A gate that tells the limits that it is given."""

    def __init__(self, name: str, status: GateStatus = GateStatus.PASSED, *, hard: bool = False) -> None:
        self.name = name
        self._status, self._hard = status, hard
        self.asked = 0

    def check(self, context: GateContext) -> GateResult:
        self.asked += 1
        mutants = float(limits("mutation")["mutants"])
        return GateResult(
            gate=self.name, status=self._status, hard=self._hard, summary="fixed", measures={"mutants": mutants}
        )


def efforts(gates: tuple[Gate, ...]) -> dict[str, str]:
    return {gate.name: effort_of(gate) for gate in gates}


@pytest.mark.parametrize(("risk", "effort"), [(None, "usual"), (0.0, "brief"), (0.07, "usual"), (0.5, "thorough")])
def test_dear_gates_go_by_the_risk_and_others_never(risk: float | None, effort: str) -> None:
    found = efforts(select(default_gates(), risk=risk))
    assert {found[name] for name in DEAR_GATES & found.keys()} == {effort}
    assert {e for name, e in found.items() if name not in rules().dear} == {"usual"}
    assert list(found) == list(GATES)


def test_a_kind_of_bug_asks_for_its_gates() -> None:
    found = efforts(select(default_gates(), risk=0.0, checks=("mutation", "suite")))
    assert (found["mutation"], found["differential"], found["suite"]) == ("thorough", "brief", "usual")


def test_what_a_person_says_holds() -> None:
    found = select(default_gates(), risk=0.9, checks=("mutation",), decided=True, effort="brief")
    assert {efforts(found)[name] for name in DEAR_GATES & efforts(found).keys()} == {"brief"}


def test_an_effort_is_a_set_of_limits_and_is_told() -> None:
    with still_context({}, {}) as context:
        (gate,) = select([Says("mutation")], risk=0.01)
        result = gate.check(context)
    assert result.measures["mutants"] == rules().brief["mutation"]["mutants"] < limits("mutation")["mutants"]
    assert result.summary == "fixed (brief: the chance that the change needs a fix later is 0.01)"


def test_a_failed_hard_gate_spares_the_dear_ones() -> None:
    hard, dear, cheap = Says("suite", GateStatus.FAILED, hard=True), Says("mutation"), Says("coverage")
    with still_context({}, {}) as context:
        evidence = verify(select([hard, dear, cheap], risk=0.5), context, to_the_end=False)
        assert [(g.status, g.summary) for g in evidence.gates][1] == (GateStatus.UNKNOWN, LEFT_OUT)
        assert (dear.asked, cheap.asked) == (0, 1)
        verify(select([hard, dear], risk=0.5, effort="usual"), context, to_the_end=False)
        assert dear.asked == 1, "a person asked for it"
        verify([hard, dear], context)
        assert dear.asked == 2, "nobody asked to stop"
        (spared,) = select([dear], risk=0.5, decided=True)
        assert spared.check(context).summary == LEFT_OUT


def test_a_failed_soft_gate_spares_nothing() -> None:
    soft, dear = Says("static_analysis", GateStatus.FAILED), Says("mutation")
    with still_context({}, {}) as context:
        verify(select([soft, dear], risk=None), context, to_the_end=False)
    assert dear.asked == 1


def test_limits_of_each_effort_exist() -> None:
    for table in (rules().brief, rules().thorough):
        for name, rows in table.items():
            assert name in rules().dear
            with other_limits(name, rows):
                assert limits(name) == {**limits(name), **rows}
    with pytest.raises(KeyError, match="nonsense"), other_limits("mutation", {"nonsense": 1}):
        pass
    assert rules().dear >= DEAR_GATES


def test_a_brief_run_is_smaller_and_says_its_size() -> None:
    body = "".join(f"    if x > {n}:\n        x = x + {n}\n" for n in range(12))
    old, new = f"def f(x):\n{body}    return x + 1\n", f"def f(x):\n{body.replace('+', '-')}    return x + 2\n"
    tests = "from code_ import f\n\n\ndef test_f():\n    assert f(20) == 7\n"
    with real_context({"code_.py": old, "test_it.py": tests}, {"code_.py": new, "test_it.py": tests}) as context:
        (brief,) = select([Mutation()], risk=0.0)
        result = brief.check(context)
    assert 0 < result.measures["mutants"] <= rules().brief["mutation"]["mutants"]
    assert "brief" in result.summary
