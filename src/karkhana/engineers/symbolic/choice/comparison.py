"""From passing candidates to a choice with a probability: looks, behaviour, evidence, in this order.

Knows the parts that judge; knows nothing of how candidates were found or how a change is handed over.
"""

import math
from collections.abc import Sequence

import msgspec

from karkhana.behaviour.observation import Observations
from karkhana.behaviour.running import ProbeFailed
from karkhana.behaviour.spectra import Spectrum
from karkhana.domain.events import Candidate, CandidatesCompared
from karkhana.engineers.symbolic.choice.appearance import Ranked, rank_by_text
from karkhana.engineers.symbolic.choice.choose import Choice, Group, choose, group
from karkhana.engineers.symbolic.choice.evidence import (
    Voices,
    before_first_hit,
    behaviour,
    consensus,
    heard,
    over_rivals,
)
from karkhana.engineers.symbolic.choice.examples import documentation, documented, examples
from karkhana.engineers.symbolic.choice.features import Features, count, log_share, shared_words
from karkhana.engineers.symbolic.choice.naturalness import TokenModel
from karkhana.engineers.symbolic.choice.probability import load_model, probability, reasons
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.catalogue import catalogue
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place
from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.patching import changed_lines, line_before, patch, whole_file
from karkhana.engineers.symbolic.proposals import PROPOSED
from karkhana.engineers.symbolic.search import Outcome, Search
from karkhana.engineers.symbolic.wording import shown

ASK = "What should the code do instead? A second example would narrow it down."
_COMPARED = 40
"""Passing candidates whose behaviour is compared."""
_TOLD = 8
"""Groups whose evidence is computed and told."""
_OTHER_FILES = 3
"""Files besides those of the candidates that the token model reads."""
_RESERVE_S = 20.0
"""Seconds that an observation must leave for confirming and handing over."""
_SECOND_CHOICE = 0.9
"""Highest probability of a change when a likelier one turned out wrong."""
_Example = tuple[int, str, str]
"""(number of the place, call, expected)."""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """A group with what is known and believed of it."""

    group: Group
    features: Features
    probability: float
    """That it is right."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a comparison."""

    choice: Choice
    opinions: tuple[Opinion, ...]
    """Of the first groups of the choice, in its order."""

    def probability_of(self, position: int) -> float:
        """That the candidate at ``position`` of ``choice.ranked`` is right, when those before it are not."""
        if position >= len(self.opinions):
            return 0.0
        own = self.opinions[position].probability
        gone = sum(o.probability for o in self.opinions[:position])
        return min(_SECOND_CHOICE, own / max(0.3, 1.0 - gone)) if position else own


class Comparison:
    """Compares what one search found."""

    def __init__(
        self,
        hands: Hands,
        search: Search,
        places: tuple[Place, ...],
        spectrum: Spectrum,
        known: Circumstances,
    ) -> None:
        self._hands = hands
        self._search = search
        self._places = places
        self._spectrum = spectrum
        self._known = known
        self._model: TokenModel | None = None

    def verdict(self, outcomes: Sequence[Outcome], voices: Voices | None = None) -> Verdict:
        """Judge what passed in any of the attempts, which are given in their order.

        ``voices``: change → the proposals that are exactly this.

        Raises ``Abstention`` when all of it makes no sense.
        """
        passing = [h for outcome in outcomes for h in outcome.passing]
        every = rank_by_text(self._places, passing, self._known)
        ranked = [r for r in every if not r.absurd]
        if not ranked:
            told = shown(self._places[every[0].hypothesis.suspect], every[0].hypothesis)
            why = "; ".join(every[0].reasons)
            raise Abstention(f"only changes that make no sense pass the tests, such as {told}: {why}", ASK)
        groups, seen = self._groups(ranked)
        agreement = consensus(groups, seen)
        facts = [
            self._text(g.best)
            | self._search_facts(g.best, outcomes, passing)
            | behaviour(g, groups, seen, agreement)
            | heard(g, voices or {})
            for g in groups[:_TOLD]
        ]
        judged = zip(groups, facts, over_rivals([f["surprise"] for f in facts]), strict=False)
        opinions = [_opinion(g, Features(**fact, surprise_over_rivals=more)) for g, fact, more in judged]
        opinions.sort(key=lambda o: -o.probability)
        choice = choose([*(o.group for o in opinions), *groups[_TOLD:]], seen)
        verdict = Verdict(choice=choice, opinions=tuple(opinions))
        self._tell(verdict, len(ranked))
        return verdict

    def _groups(self, ranked: list[Ranked]) -> tuple[tuple[Group, ...], Observations | None]:
        first = ranked[0].hypothesis.suspect
        compared, others = ranked[:_COMPARED], ranked[_COMPARED:]
        seen: Observations | None = None
        if self._hands.left() > _RESERVE_S:
            try:
                changes = [r.hypothesis for r in compared]
                said, claimed = self._examples(sorted({h.suspect for h in changes}))
                every = [*said, *claimed]
                seen = self._search.observed(changes, self._known.literals, every, claims=len(claimed))
            except ProbeFailed as error:
                self._hands.note(f"behaviour was not compared: {error.message}")
        return group(compared, seen, others, raised=self._raised(self._places[first])), seen

    def _examples(self, suspects: Sequence[int]) -> tuple[list[_Example], list[_Example]]:
        """What the documentation and the ticket say of the changed functions."""
        said: list[_Example] = []
        claimed: list[_Example] = []
        for number in suspects:
            place = self._places[number]
            name = place.suspect.place.name
            if not name or place.suspect.place.classes:
                continue
            tests = self._known.tests
            said += [(number, *one) for one in documented(name, place.text, place.file_text, tests)]
            claimed += [(number, *one) for one in examples(name, self._known.ticket, tests, claimed=True)]
        return said, claimed

    def _raised(self, place: Place) -> bool:
        failures = [self._spectrum.tests[n].failure for n in place.suspect.failing]
        return all(f is None or f.type not in ("AssertionError", "Failed") for f in failures)

    # -- evidence ----------------------------------------------------------------------------------------------

    def _kind(self, ranked: Ranked, outcomes: Sequence[Outcome]) -> dict[str, float]:
        """What kind of change it is."""
        hypothesis = ranked.hypothesis
        names = hypothesis.kind.split("+")
        here = (h for outcome in outcomes for h in outcome.tried if h.suspect == hypothesis.suspect)
        highest = max(p.suspect.score for p in self._places)
        return {
            "prior": math.log(max(hypothesis.score, 1e-6)),
            "error_driven": float(any(catalogue()[name].errors for name in names if name in catalogue())),
            "two_places": float(len(names) > 1),
            "fresh": float(hypothesis.fresh),
            "crowd": count(sum(h.kind == hypothesis.kind for h in here)),
            "suspects": count(len({h.suspect for outcome in outcomes for h in outcome.tried})),
            "file_lines": count(self._places[hypothesis.suspect].file_text.count("\n")),
            "suspicion": self._places[hypothesis.suspect].suspect.score / highest if highest else 0.0,
        }

    def _text(self, ranked: Ranked) -> dict[str, float]:
        place, edits, looks = self._places[ranked.hypothesis.suspect], ranked.hypothesis.edits, ranked.looks
        before, after = ("".join(lines) for lines in changed_lines(place.text, edits))
        model, above = self._tokens(), line_before(place.text, edits)
        surprise, usual = model.bits(after, above, without=before), model.bits(before, above, without=before)
        return {
            "size": count(len(looks.added) + len(looks.removed)),
            "only_deletes": float(bool(looks.removed) and not looks.added),
            "test_literal": float(looks.test_literal),
            "oddities": float(looks.oddities),
            "static_faults": float(looks.faults),
            "surprise": surprise,
            "surprise_added": surprise - usual if before and after else 0.0,
            "seen_elsewhere": model.seen(after, without=before),
            "ticket_words": count(shared_words(looks.added, self._known.ticket, documentation(place.text))),
        }

    def _tokens(self) -> TokenModel:
        if self._model is None:
            own = list(dict.fromkeys(place.suspect.path for place in self._places))
            tests = self._spectrum.is_test_file
            others = sorted(
                (path for path in self._spectrum.coverage if path not in own and not tests(path)),
                key=lambda path: (-len(self._spectrum.coverage[path]), path),
            )
            texts = (self._hands.text(path) for path in (*own, *others[:_OTHER_FILES]))
            self._model = TokenModel(text for text in texts if text is not None)
        return self._model

    def _search_facts(
        self, ranked: Ranked, outcomes: Sequence[Outcome], passing: Sequence[Hypothesis]
    ) -> dict[str, float]:
        suspect = self._places[ranked.hypothesis.suspect].suspect
        tried = sum(outcome.count for outcome in outcomes)
        running = self._spectrum.covering(suspect.path, ranked.hypothesis.line, ranked.hypothesis.line)
        partly = sum(outcome.near for outcome in outcomes) if self._known.target_tests > 1 else 0
        return self._kind(ranked, outcomes) | {
            "target_tests": count(self._known.target_tests),
            "asserts": count(self._known.asserts),
            "held_out": log_share(partly + len(passing), len(passing)),
            "guarding_tests": count(len(suspect.passing)),
            "guarding_line": count(len(set(suspect.passing) & set(running))),
            "failing_share": len(suspect.failing) / max(1, len(suspect.failing) + len(suspect.passing)),
            "tried": count(before_first_hit(outcomes)),
            "rank": count(passing.index(ranked.hypothesis)),
            "hit_rate": self._hit_rate(outcomes, len(passing), tried),
            "places": count(len({h.suspect for h in passing})),
            "raised": float(self._raised(self._places[ranked.hypothesis.suspect])),
        }

    def _hit_rate(self, outcomes: Sequence[Outcome], passing: int, tried: int) -> float:
        """How many of the changes pass; what the probability takes for average where no template made any."""
        if all(h.kind.startswith(PROPOSED) for outcome in outcomes for h in outcome.tried):
            return load_model().features["hit_rate"].mean
        return log_share(passing, tried)

    # -- the trail ---------------------------------------------------------------------------------------------

    def _tell(self, verdict: Verdict, passing: int) -> None:
        best = verdict.opinions[0]
        hypothesis = best.group.best.hypothesis
        self._hands.record(
            CandidatesCompared(
                passing=passing,
                classes=verdict.choice.classes,
                disagreement=verdict.choice.disagreement,
                chosen=shown(self._places[hypothesis.suspect], hypothesis),
                reasons=best.group.best.reasons,
                distinguishing_input=verdict.choice.distinguishing,
                probability=best.probability,
                candidates=tuple(self._candidate(opinion) for opinion in verdict.opinions),
            )
        )

    def _candidate(self, opinion: Opinion) -> Candidate:
        hypothesis = opinion.group.best.hypothesis
        place = self._places[hypothesis.suspect]
        after = whole_file(place.file_text, place.suspect.place.start, place.text, hypothesis.edits)
        numbers = opinion.features.named()
        return Candidate(
            patch=patch(place.suspect.path, place.file_text, after),
            place=f"{place.suspect.path}:{hypothesis.line}",
            kind=hypothesis.kind,
            alike=len(opinion.group.members),
            probability=opinion.probability,
            reasons=(*opinion.group.best.reasons, *reasons(numbers)),
            features=numbers,
        )


def _opinion(one: Group, found: Features) -> Opinion:
    return Opinion(group=one, features=found, probability=round(probability(found.named()), 4))
