"""Handing over: the chosen change goes into the workspace, holds in the whole suite, and is pushed; or nothing is.

Knows the tools and the words; knows nothing of how the change was found or judged.
"""

from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.errors import ToolRefused
from karkhana.domain.suites import TestReport
from karkhana.domain.tools import EditFile, PushChanges, ReviewDiff, RunTests, WriteFile
from karkhana.engineers.symbolic.choice.appearance import Ranked
from karkhana.engineers.symbolic.choice.comparison import ASK, Verdict
from karkhana.engineers.symbolic.choice.probability import load_model
from karkhana.engineers.symbolic.generation.hypotheses import Place
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.localisation.naming import is_one_test, renamed
from karkhana.engineers.symbolic.localisation.targets import Targets
from karkhana.engineers.symbolic.patching import replacement
from karkhana.engineers.symbolic.wording import kind_of, shown, title_of
from karkhana.ports import Handover

_CONFIRMED = 5
"""Candidates that are tried on the whole suite, best first."""
_SECOND_CHOICE = 0.5
"""Disagreement when the first choice fails in the whole suite."""
_SHOWN = 3


class Confirmation:
    """From a verdict to a handover."""

    def __init__(self, hands: Hands, places: tuple[Place, ...], targets: Targets, spectrum: Spectrum) -> None:
        self._hands = hands
        self._places = places
        self._targets = targets
        self._spectrum = spectrum

    def hand_over(self, verdict: Verdict, tried: int) -> tuple[Handover, Ranked]:
        """Push the first candidate that is probable enough and holds in the whole suite.

        ``tried`` changes were run. Raises ``Abstention``, with the evidence on those that pass.
        """
        least = load_model().threshold
        if verdict.probability_of(0) < least:
            raise Abstention(self._unconvincing(verdict, least), verdict.choice.question or ASK)
        for position, candidate in enumerate(verdict.choice.ranked[:_CONFIRMED]):
            probability = verdict.probability_of(position)
            if probability < least:
                break
            if self._holds(candidate):
                self._hands.tools.call(ReviewDiff())
                doubt = _SECOND_CHOICE if position else 0.0
                return self._push(candidate, verdict, probability, doubt, tried), candidate
        raise Abstention(
            "the convincing ones among the changes that passed the selected tests fail in the whole suite", ASK
        )

    def _holds(self, candidate: Ranked) -> bool:
        """Whether the change can be made and the whole suite agrees; it stays in the workspace if so."""
        place = self._places[candidate.hypothesis.suspect]
        old, new = replacement(place.file_text, place.suspect.place.start, place.text, candidate.hypothesis.edits)
        try:
            self._hands.tools.call(EditFile(path=place.suspect.path, old=old, new=new))
        except ToolRefused as refusal:
            self._hands.note(f"refused: {refusal.message}")
            return False
        trouble = self._trouble(self._hands.tools.call(RunTests()))
        if trouble:
            self._hands.note(f"{shown(place, candidate.hypothesis)}: {trouble}")
            self._hands.tools.call(WriteFile(path=place.suspect.path, content=place.file_text))
        return not trouble

    def _trouble(self, report: TestReport) -> str:
        if is_one_test(report):
            return "" if report.green else "the test command still fails"
        known_names = {test.name for test in self._spectrum.tests}
        report = renamed(report, known_names)
        passed = set(report.passed)
        missing = [name for n in self._targets.chosen if (name := self._spectrum.tests[n].name) not in passed]
        if missing:
            return f"{missing[0]} still fails in the whole suite"
        baseline = renamed(self._hands.assignment.baseline, known_names)
        broken = [name for name in baseline.passed if name not in passed]
        if broken:
            return f"{broken[0]} no longer passes"
        known = {result.name for result in baseline.results}
        failing = [name for name in report.failing if name not in known and name.split("::")[0] in known]
        return f"{failing[0]}, which could not be collected before, fails" if failing else ""

    def _push(self, candidate: Ranked, verdict: Verdict, probability: float, doubt: float, tried: int) -> Handover:
        hypothesis, choice = candidate.hypothesis, verdict.choice
        place = self._places[hypothesis.suspect]
        title = title_of(hypothesis, place)
        summary = (
            f"`{place.name}` in `{place.suspect.path}`, line {hypothesis.line}, {kind_of(hypothesis)}: "
            f"{shown(place, hypothesis)}. {self._now_passing()} {self._still_failing()}"
            f"{tried} changes were tried, {len(choice.ranked)} of them passed. "
            f"It is right with a probability of {probability:.0%}."
        )
        if choice.distinguishing:
            summary += f" Passing changes differ {choice.distinguishing}."
        self._hands.tools.call(PushChanges(title=title, summary=summary))
        return Handover(
            solved=True,
            reason=f"repaired {place.name}",
            title=title,
            summary=summary,
            alternatives=len(choice.ranked) - 1,
            # The comparison was about the first choice; what is known of another one is less.
            disagreement=max(choice.disagreement, doubt),
            question=choice.question,
            probability=probability,
        )

    def _now_passing(self) -> str:
        chosen = self._targets.chosen
        names = ", ".join(f"`{self._spectrum.tests[n].name}`" for n in chosen[:_SHOWN])
        more = f" and {len(chosen) - _SHOWN} more" if len(chosen) > _SHOWN else ""
        now = "passes" if len(chosen) == 1 else "pass"
        return f"{names}{more} failed before and {now} now; no test that passed before fails."

    def _still_failing(self) -> str:
        others = self._targets.others
        if not others:
            return ""
        names = ", ".join(f"`{self._spectrum.tests[n].name}`" for n in others[:_SHOWN])
        return f"Left alone, for another cause: {len(others)} failing test(s), such as {names}. "

    def _unconvincing(self, verdict: Verdict, least: float) -> str:
        passing = len(verdict.choice.ranked)
        told = [
            f"{shown(self._places[h.suspect], h)} in {self._places[h.suspect].name} ({opinion.probability:.0%})"
            for opinion in verdict.opinions[:_SHOWN]
            for h in [opinion.group.best.hypothesis]
        ]
        count = (
            "the one change that passes does not convince"
            if passing == 1
            else f"{passing} changes pass, none convinces"
        )
        return f"{count} (a probability of {least:.0%} is asked for): {'; '.join(told)}"
