"""The symbolic engineer: repairs a bug that a failing test shows, with no model and no key.

Measure which lines the failing tests run → suspect functions → make changes from the catalogue → run them all →
choose among those that pass → confirm on the whole suite → push, or abstain and say why. It acts through the tools
and leaves its hypotheses in the trail; it knows nothing of queues, gates or delivery.

>>> SymbolicEngineer().name
'symbolic'
"""

import itertools

import msgspec

from karkhana.behaviour.running import ProbeFailed, pytest_arguments
from karkhana.behaviour.spectra import Spectrum, measure
from karkhana.domain.errors import BudgetExhausted
from karkhana.domain.events import FunctionsSuspected
from karkhana.domain.suites import Outcome as TestOutcome
from karkhana.domain.suites import TestResult
from karkhana.engineers.symbolic.circumstances import Circumstances, circumstances
from karkhana.engineers.symbolic.confirmation import Confirmation
from karkhana.engineers.symbolic.exploration import Exploration, Others
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place, cut, declared, hypotheses
from karkhana.engineers.symbolic.hands import Abstention, Hands, NothingPasses
from karkhana.engineers.symbolic.localisation.importing import at_import
from karkhana.engineers.symbolic.localisation.loading import loaded
from karkhana.engineers.symbolic.localisation.localise import Suspect, localise, suspicion
from karkhana.engineers.symbolic.localisation.naming import is_one_test, renamed
from karkhana.engineers.symbolic.localisation.relevance import worth_tracing
from karkhana.engineers.symbolic.localisation.targets import Targets, choose_targets, groups
from karkhana.engineers.symbolic.lore import Lore, Witness
from karkhana.engineers.symbolic.ordering import natural
from karkhana.engineers.symbolic.pool import Pool
from karkhana.engineers.symbolic.proposals import Case, Proposals, Told
from karkhana.engineers.symbolic.reproduction import Reproduction, kept, reproduce
from karkhana.ports import Assignment, Handover, Tools, Trail

_TRACING_S = 15.0
"""CPU seconds for measuring which lines the tests run."""
_AT_IMPORT = 150
"""Candidates for a fault that strikes at import, each of which needs the suite collected again."""
_WHILE_LOADING = 60
"""Candidates for functions that run before any test, each of which needs the suite collected again."""
_TESTS = 6
"""Target tests whose source is read."""
_KEPT_S, _SUITES = 40.0, 2.0
"""Seconds, and runs of the whole suite, that others must leave for running, comparing and handing over."""
_GROUPS = 3
"""Groups of failing tests that are tried on their own when nothing repairs all."""


_ENDED_S = 3.0
"""Seconds after which a failing test is taken for one without an end."""


class SymbolicEngineer:
    """Implements ``karkhana.ports.Engineer``. The same input gives the same change."""

    name = "symbolic"

    def __init__(self, proposals: Proposals | None = None, *, templates: bool = True) -> None:
        """``proposals``: who else may propose changes; without ``templates`` nobody but those does."""
        self._proposals = proposals
        self._templates = templates

    def work(self, assignment: Assignment, tools: Tools, trail: Trail) -> Handover:
        """Repair, or abstain with the reason. Raises ``RunCancelled``; a spent budget is an abstention."""
        witness = Witness(trail)
        repair = _Repair(assignment, tools, witness, self._proposals, templates=self._templates)
        handover = self._carried_out(repair)
        handover = kept(handover, repair.written)
        return msgspec.structs.replace(handover, credits=repair.lore.credits(witness.tried))

    def _carried_out(self, repair: "_Repair") -> Handover:
        try:
            return repair.carry_out()
        except Abstention as abstention:
            return Handover(
                solved=False,
                reason=abstention.reason,
                question=abstention.question,
                tried=repair.tried(),
            )
        except BudgetExhausted as error:
            return Handover(solved=False, reason=f"stopped: {error.message}", tried=repair.tried())
        except ProbeFailed as error:
            return Handover(solved=False, reason=f"{error.message}. {error.next}", tried=repair.tried())


def _ended(result: TestResult) -> bool:
    """Whether a test came to its own end: one that failed after a long time was most likely ended."""
    if result.outcome is TestOutcome.FAILED:
        return result.duration_s < _ENDED_S
    return result.outcome is not TestOutcome.ERROR


def _covering(spectrum: Spectrum, suspect: Suspect) -> tuple[int, ...]:
    return spectrum.covering(suspect.path, suspect.place.start, suspect.place.end)


def _before_tests(ideas: list[Hypothesis], early: frozenset[int]) -> list[Hypothesis]:
    """The ideas, those for functions that run while modules are loaded made fresh and kept few."""
    room = itertools.count()
    return [
        msgspec.structs.replace(idea, fresh=True) if idea.suspect in early else idea
        for idea in ideas
        if idea.suspect not in early or next(room) < _WHILE_LOADING
    ]


class _Repair:
    """One assignment."""

    def __init__(
        self,
        assignment: Assignment,
        tools: Tools,
        trail: Trail,
        proposals: Proposals | None = None,
        *,
        templates: bool = True,
    ) -> None:
        self._hands = Hands(assignment, tools, trail)
        self._proposals, self._templates = proposals, templates
        self._assignment = assignment
        self._exploration = Exploration(self._hands)
        self.written: Reproduction | None = None
        """The failing test that was written from the ticket."""
        self.lore = Lore(assignment.lessons)

    # -- the line ----------------------------------------------------------------------------------------------

    def carry_out(self) -> Handover:
        self.written = reproduce(self._hands)
        spectrum = self._measure()
        targets = self._choose(spectrum)
        parts = groups(spectrum, targets.chosen)
        try:
            return self._repair(spectrum, targets, share=0.6 if len(parts) > 1 else 1.0)
        except NothingPasses as nothing:
            for part in parts[:_GROUPS] if len(parts) > 1 else ():
                rest = tuple(n for n in (*targets.chosen, *targets.others) if n not in set(part))
                one = Targets(chosen=part, others=rest, why="a group that fails at one place")
                self._hands.note(f"the failing tests may have several causes; now {len(part)} of them")
                try:
                    return self._repair(spectrum, one, share=0.5, apart=frozenset(targets.chosen) - set(part))
                except NothingPasses:
                    continue
            raise nothing from None

    def _repair(
        self, spectrum: Spectrum, targets: Targets, share: float, apart: frozenset[int] = frozenset()
    ) -> Handover:
        """Look for one change that turns all target tests green, in a share of the time that is left.

        Functions that the tests ``apart`` run are left out.
        """
        self.lore.meet(spectrum, targets.chosen)
        suspects = localise(
            spectrum,
            targets.chosen,
            self._assignment.ticket.text,
            read=self._hands.text,
            test_text=self._test_text(spectrum, targets),
            recent=self._assignment.recent,
            weights=self.lore.signals,
        )
        self.lore.suspects = suspects
        if apart:
            # A failing test that runs the same function and stays red would contradict the change.
            suspects = tuple(s for s in suspects if not apart & set(_covering(spectrum, s)))
        if not suspects:
            raise NothingPasses(
                "the failing tests run no function of the repository in their own process",
                "Which module should the failing test exercise?",
            )
        self._hands.record(FunctionsSuspected(suspects=tuple(suspicion(s) for s in suspects)))
        if self.lore.told:
            self._hands.note(self.lore.told)
        early = loaded(spectrum, suspects, self._hands.text)
        places = self._places((*suspects, *early))
        told = self._told(spectrum, targets)
        places += declared(places, self._test_text(spectrum, targets), told=told, read=self._hands.text)
        known = circumstances(self._hands, spectrum, targets)
        lessons = self.lore.templates
        ideas = (
            hypotheses(places, spectrum, literals=known.literals, expected=known.expected, lessons=lessons, told=told)
            if self._templates
            else []
        )
        ideas = natural(ideas, places)
        if spectrum.collect_errors and not spectrum.collected:
            # No live function can be changed when its module cannot be imported.
            ideas = [msgspec.structs.replace(idea, fresh=True) for idea in natural(ideas, places)[:_AT_IMPORT]]
        else:
            ideas = _before_tests(
                natural(ideas, places), frozenset(n for n, p in enumerate(places) if p.suspect in early)
            )
        others = self._others(spectrum, targets, places[: len(suspects)], told, share)
        verdict = self._exploration.choose(spectrum, places, ideas, known, share=share, others=others)
        confirmation = Confirmation(self._hands, places, targets, spectrum)
        handover, candidate = confirmation.hand_over(verdict, self._exploration.count)
        self.lore.chosen(candidate.hypothesis.kind, places[candidate.hypothesis.suspect].suspect)
        return msgspec.structs.replace(handover, tried=self.tried())

    def tried(self) -> tuple[str, ...]:
        return tuple(self._exploration.tried)

    def _others(
        self, spectrum: Spectrum, targets: Targets, places: tuple[Place, ...], told: str, share: float
    ) -> Others | None:
        """Who else is asked about functions that tests run."""
        if self._proposals is None:
            return None
        # What passed already must not be lost to an answer that comes too late.
        kept = _KEPT_S + _SUITES * self._assignment.baseline.duration_s
        end = (1.0 - share) * self._hands.left() + kept
        case = Case(
            places=places,
            tests=tuple(self._failing(spectrum, number) for number in targets.chosen[:_TESTS]),
            numbers=targets.chosen[:_TESTS],
            ticket=self._assignment.ticket.text,
            seconds_left=lambda: self._hands.left() - end,
        )
        lessons = self.lore.templates

        def pool(every: tuple[Place, ...], spectrum: Spectrum, known: Circumstances) -> Pool:
            return Pool(case, every, spectrum, known, lessons=lessons, told=told, templates=self._templates)

        return Others(case, self._proposals.rewrites, pool)

    def _failing(self, spectrum: Spectrum, number: int) -> Told:
        test = spectrum.tests[number]
        line, source = self._source(spectrum, number)
        return Told(name=test.name, source=source, line=line, failure=test.failure)

    # -- what is wrong -----------------------------------------------------------------------------------------

    def _measure(self) -> Spectrum:
        baseline = self._assignment.baseline
        if self.written is not None:
            baseline = self.written.added_to(baseline)
        baseline = renamed(baseline)
        limits = {r.name: max(0.5, 2 * r.duration_s) for r in baseline.results if _ended(r)}
        seconds = max(5.0, min(_TRACING_S, self._hands.left() / 3))
        tests = None if is_one_test(baseline) else worth_tracing(baseline, self._assignment.ticket.text, seconds)
        if tests is not None:
            self._hands.note(f"the suite is dear: {len(tests)} of its {len(baseline.results)} tests are traced")
        spectrum = measure(
            self._hands.run,
            arguments=pytest_arguments(self._assignment.test_command),
            tests=tests,
            limits=limits,
            limit_s=0.4,
            seconds=seconds,
        )
        if not spectrum.failing and spectrum.collect_errors:
            node, message = spectrum.collect_errors[0]
            last = (message.strip().splitlines()[-1:] or [""])[0].removeprefix("E").strip()
            found = at_import(spectrum, self._hands.text)
            if found is None:
                raise Abstention(
                    f"{node} cannot be collected: {last}",
                    "Which import should work? Only faults inside functions that tests reach are looked for.",
                )
            self._hands.note(f"{node} cannot be collected ({last}): looking at what runs while it is imported")
            return found
        return spectrum

    def _choose(self, spectrum: Spectrum) -> Targets:
        if self.written is not None:
            return self.written.targets(spectrum)
        if not spectrum.failing:
            raise Abstention(
                "the tests that failed in the baseline pass when they are run here: "
                "they may be flaky or depend on their order"
            )
        baseline = self._assignment.baseline
        known = () if baseline.timed_out else baseline.failing
        targets = choose_targets(spectrum, self._assignment.ticket.text, known)
        names = ", ".join(spectrum.tests[n].name for n in targets.chosen[:5])
        self._hands.note(f"{len(targets.chosen)} target test(s), {targets.why}: {names}")
        if targets.others:
            others = ", ".join(spectrum.tests[n].name for n in targets.others[:5])
            self._hands.note(f"{len(targets.others)} other failing test(s) left alone: {others}")
        return targets

    def _places(self, suspects: tuple[Suspect, ...]) -> tuple[Place, ...]:
        found: list[Place] = []
        for suspect in suspects:
            text = self._hands.text(suspect.path)
            if text is not None:
                found.append(Place(suspect=suspect, text=cut(text, suspect), file_text=text))
        return tuple(found)

    def _told(self, spectrum: Spectrum, targets: Targets) -> str:
        """What the ticket, the names of the target tests, their source and their failures say."""
        failures = [spectrum.tests[n].failure for n in targets.chosen[:_TESTS]]
        names = [spectrum.tests[n].name for n in targets.chosen[:_TESTS]]
        messages = [f.message for f in failures if f is not None]
        return "\n".join([self._assignment.ticket.text, *names, self._test_text(spectrum, targets), *messages])

    def _test_text(self, spectrum: Spectrum, targets: Targets) -> str:
        """The source of the first target tests."""
        found: dict[str, None] = {}
        for number in targets.chosen[:_TESTS]:
            found[self._source(spectrum, number)[1]] = None
        return "\n".join(text for text in found if text)

    def _source(self, spectrum: Spectrum, number: int) -> tuple[int, str]:
        """The line where a test begins, and its text; 0 and nothing when it is not found."""
        path, _, rest = spectrum.tests[number].name.partition("::")
        name = rest.split("[")[0].rsplit("::", 1)[-1]
        place = next((p for p in spectrum.functions.get(path, ()) if p.name == name), None)
        if place is None:
            return 0, ""
        text = self._hands.text(path) or ""
        return place.top, "".join(text.splitlines(keepends=True)[place.top - 1 : place.end])
