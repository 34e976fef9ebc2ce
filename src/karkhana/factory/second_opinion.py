"""Gate ``second_opinion``: does an engineer that has not seen the change come to the same?

The symbolic engineer works on the same failing tests from the code before the change. What it hands over is compared
with the change by behaviour: both run on inputs that tests give the changed functions, and on inputs made from those.
Independent solutions seldom agree by chance on more than what the tests ask, so agreement is the best single sign that
a change is right, and a difference shows an input that somebody should look at. (Candidates of one model that agree:
Wang et al., "Self-consistency improves chain of thought reasoning", 2022; here the two work in different ways.)

The engineer abstains where it is not sure, which says nothing of the change. A change of its own is not asked about:
its probability stands for that. Knows no more of the ticket than the engineer does.
"""

from collections.abc import Mapping

import msgspec

from karkhana.domain.errors import BudgetExhausted
from karkhana.domain.evidence import Finding, GateResult, GateStatus, Severity
from karkhana.domain.suites import TestReport, TestResult
from karkhana.domain.tasks import Budget
from karkhana.engineers.registry import only_repairs
from karkhana.factory.trails import MemoryTrail
from karkhana.ports import Assignment, Engineer, Gate, GateContext, Handover
from karkhana.quality import paths
from karkhana.quality.gates import default_gates
from karkhana.quality.gates.differential import against
from karkhana.quality.gates.limits import limits
from karkhana.quality.gates.wording import plural
from karkhana.quality.new_tests import tests_on_old_code
from karkhana.workspace.testing import run_tests
from karkhana.workspace.toolbox import Toolbox

NAME = "second_opinion"


def all_gates(engineers: Mapping[str, Engineer]) -> tuple[Gate, ...]:
    """Every gate, with a second opinion of the engineer that needs no model."""
    return (*default_gates(), *(SecondOpinion(each) for each in engineers.values() if only_repairs(each.name)))


class SecondOpinion:
    """Asks an engineer and compares."""

    name = NAME

    def __init__(self, engineer: Engineer) -> None:
        self._engineer = engineer

    def check(self, context: GateContext) -> GateResult:
        if context.change.engineer == self._engineer.name:
            return _result(GateStatus.PASSED, "the change is that of the engineer who would be asked", asked=0.0)
        if not [p for p in context.change.paths if p.endswith(".py") and not paths.is_test(p)]:
            return _result(GateStatus.PASSED, "the change has no code outside tests", asked=0.0)
        with tests_on_old_code(context) as tests:
            baseline = run_tests(context.before, context.test_command) if tests else context.baseline
            wanted = [n for n in baseline.failing if n in set(context.result.passed)]
            if not wanted:
                return _result(GateStatus.UNKNOWN, "no test fails before the change and passes with it")
            handover = self._ask(context, msgspec.structs.replace(baseline, results=_without(baseline, wanted)))
            if not handover.solved:
                return _result(GateStatus.UNKNOWN, f"the second engineer abstains: {handover.reason}", asked=1.0)
            other = {file.path: after for file, _, after in context.before.changes() if not paths.is_test(file.path)}
        return _judge(context, other, handover)

    def _ask(self, context: GateContext, baseline: TestReport) -> Handover:
        budget = Budget(seconds=limits(NAME)["seconds"])
        tools = Toolbox(context.before, MemoryTrail(), budget=budget, test_command=context.test_command)
        assignment = Assignment(
            ticket=context.ticket,
            baseline=baseline,
            budget=budget,
            root=context.before.root,
            test_command=context.test_command,
        )
        try:
            return self._engineer.work(assignment, tools, MemoryTrail())
        except BudgetExhausted as stop:
            return Handover(solved=False, reason=stop.message)


def _without(baseline: TestReport, wanted: list[str]) -> tuple[TestResult, ...]:
    """The results, less those of tests that fail with the change as well: nobody asks for them."""
    return tuple(r for r in baseline.results if r.name in wanted or r.name not in set(baseline.failing))


def _judge(context: GateContext, other: Mapping[str, bytes | None], handover: Handover) -> GateResult:
    pairs = against(context, other)
    sure = handover.probability if handover.probability is not None else 0.5
    if pairs is None:
        return _result(GateStatus.PASSED, "a second engineer makes the same change", asked=1.0, agrees=1.0, sure=sure)
    if len(pairs) < limits("differential")["fewest"]:
        return _result(GateStatus.UNKNOWN, f"only {plural(len(pairs), 'input')} could be given to both", asked=1.0)
    differing = [pair for pair in pairs if pair.differs]
    share = len(differing) / len(pairs)
    agrees = share <= limits(NAME)["differing"]
    summary = (
        f"a second engineer's change does the same on {plural(len(pairs), 'input')}"
        if not differing
        else f"a second engineer's change does something else on {len(differing)} of {plural(len(pairs), 'input')}"
    )
    worst = sorted(differing, key=lambda pair: (pair.kind != "call", len(pair.text), pair.text))
    return GateResult(
        gate=NAME,
        status=GateStatus.PASSED if agrees else GateStatus.FAILED,
        summary=summary,
        measures={
            "asked": 1.0,
            "agrees": float(agrees),
            "inputs": float(len(pairs)),
            "differing": float(len(differing)),
            "share": round(share, 4),
            "sure": round(sure, 4),
            "against": 0.0 if agrees else round(sure, 4),
        },
        findings=tuple(
            Finding(
                rule="second-opinion:differs",
                message=f"{pair.text}: {pair.after[1:]} with the change, {pair.before[1:]} with the second engineer's",
                severity=Severity.INFO,
            )
            for pair in worst[: int(limits("differential")["shown"])]
        ),
    )


def _result(status: GateStatus, summary: str, **measures: float) -> GateResult:
    return GateResult(gate=NAME, status=status, summary=summary, measures=measures)
