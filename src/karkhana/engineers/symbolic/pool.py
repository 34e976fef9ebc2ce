"""What others proposed, as candidates like those of the templates, and who stands behind each of them.

Knows rewrites, places and scores; runs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from karkhana.behaviour.spectra import Spectrum
from karkhana.behaviour.validation import CRASHES, FAILS, NEAR, OVERTIME, Edit, apply
from karkhana.engineers.symbolic.circumstances import Circumstances
from karkhana.engineers.symbolic.generation.hypotheses import Hypothesis, Place, moved
from karkhana.engineers.symbolic.proposals import PROPOSED, Case, Rewrite
from karkhana.engineers.symbolic.rewriting import (
    fitted,
    import_edit,
    parts,
    program_of,
    selections,
    touches_head,
)
from karkhana.engineers.symbolic.search import Outcome
from karkhana.engineers.symbolic.slips import mended, neighbours

_SCORE = 0.3
"""Score of a proposal for the most suspicious function: that of a likely template. No data tell."""
_PART = 0.3
"""That of a part of a proposal, as a share."""
_OTHER = 0.5
"""That of the second reading of a proposal; the third has a half of it, the fourth a third."""
_MENDED = 0.2
"""The same for the best of the small changes of a proposal."""
_MENDED_OF = 3
"""Proposals of a round whose slips are looked for."""
Key = tuple[int, tuple[Edit, ...]]


class Pool:
    """The proposals for one case."""

    def __init__(
        self,
        case: Case,
        places: Sequence[Place],
        spectrum: Spectrum,
        known: Circumstances,
        *,
        lessons: Mapping[str, float],
        told: str,
        templates: bool = True,
    ) -> None:
        """``places``: all places of the search, those of the case first; without ``templates`` slips stay."""
        self._case, self._places, self._spectrum, self._known = case, places, spectrum, known
        self._lessons, self._told, self._templates = lessons, told, templates
        self._files = {p.suspect.path: n for n, p in enumerate(places) if p.is_file}
        self._best = max((p.suspect.score for p in case.places), default=1.0) or 1.0
        self._seen: set[Key] = set()
        self._programs: dict[tuple[int, str], Hypothesis] = {}
        self._nudged: set[Key] = set()
        self.heard = 0
        """Proposals so far."""
        self.voices: dict[Key, set[int]] = {}
        """Change → the proposals that are exactly this, by their numbers."""

    def candidates(self, rewrites: Sequence[Rewrite]) -> list[Hypothesis]:
        """New candidates, the whole proposals before their parts."""
        found: list[Hypothesis] = []
        for rewrite in rewrites:
            self.heard += 1
            for position, text in enumerate((rewrite.text, *rewrite.others)):
                share = 1.0 if not position else _OTHER / position
                changes = self._told_apart(rewrite.place, list(self._changes(rewrite, text, share)))
                for whole in changes[:1]:
                    self.voices.setdefault(_key(whole), set()).add(self.heard)
                found += [change for change in changes if self._is_new(change)]
        return sorted(found, key=lambda h: -h.score)

    def _told_apart(self, place: int, changes: list[Hypothesis]) -> list[Hypothesis]:
        """The changes; in place of all of them the first one that was the same program, if there was one."""
        if not changes or changes[0].suspect != place:
            return changes
        program = program_of(apply(self._case.places[place].text, changes[0].edits))
        known = self._programs.setdefault((place, program), changes[0])
        return changes if known is changes[0] or not program else [known]

    def _is_new(self, change: Hypothesis) -> bool:
        new = _key(change) not in self._seen
        self._seen.add(_key(change))
        return new

    def _changes(self, rewrite: Rewrite, text: str, share: float) -> Iterator[Hypothesis]:
        """One reading of a proposal as a change, then its parts."""
        place = self._case.places[rewrite.place]
        right = mended(place, text, rewrite.imports)
        text = fitted(place.text, right.text)
        added = import_edit(place.file_text, right.imports) if right.imports else None
        edits = parts(place.text, text)
        if not edits:
            return
        if added is not None:
            if place.suspect.path in self._files:
                yield self._with_import(rewrite.place, edits, added)
            return
        for position, chosen in enumerate(selections(place.text, edits) if not rewrite.others else [edits]):
            yield self._change(rewrite.place, chosen, PROPOSED, share * (_PART if position else 1.0))

    def _change(self, number: int, edits: tuple[Edit, ...], kind: str, share: float) -> Hypothesis:
        place = self._case.places[number]
        return Hypothesis(
            suspect=number,
            kind=kind,
            line=place.suspect.place.start + place.text[: edits[0].start].count("\n"),
            edits=edits,
            score=_SCORE * share * place.suspect.score / self._best,
            fresh=touches_head(place.text, edits),
        )

    def _with_import(self, number: int, edits: tuple[Edit, ...], added: Edit) -> Hypothesis:
        place = self._case.places[number]
        inside = tuple(sorted((added, *(moved(edit, place) for edit in edits))))
        plain = self._change(number, edits, PROPOSED, 1.0)
        return msgspec.structs.replace(plain, suspect=self._files[place.suspect.path], edits=inside, fresh=True)

    def small_changes(self, outcome: Outcome) -> list[Hypothesis]:
        """Small changes of the proposals that did not pass, those first that turned a test green."""
        if not self._templates:
            return []
        tried = [(h, s) for h, s in zip(outcome.tried, outcome.statuses, strict=True) if self._may_slip(h, s)]
        tried.sort(key=lambda pair: (pair[1] != NEAR, -pair[0].score))
        found: list[Hypothesis] = []
        for hypothesis, _ in tried[:_MENDED_OF]:
            self._nudged.add(_key(hypothesis))
            found += self._near(hypothesis)
        return sorted(found, key=lambda h: -h.score)

    def _may_slip(self, hypothesis: Hypothesis, status: str) -> bool:
        whole = hypothesis.kind == PROPOSED and _key(hypothesis) in self.voices and not hypothesis.fresh
        return whole and status in (NEAR, FAILS, OVERTIME, CRASHES) and _key(hypothesis) not in self._nudged

    def _near(self, hypothesis: Hypothesis) -> Iterator[Hypothesis]:
        place = self._case.places[hypothesis.suspect]
        text = apply(place.text, hypothesis.edits)
        for kind, share, other in neighbours(
            place, text, self._spectrum, self._known, lessons=self._lessons, told=self._told
        ):
            edits = parts(place.text, other)
            if edits:
                change = self._change(hypothesis.suspect, edits, f"{PROPOSED}+{kind}", _MENDED * share)
                if not change.fresh and self._is_new(change):
                    yield change


def _key(hypothesis: Hypothesis) -> Key:
    return hypothesis.suspect, hypothesis.edits
