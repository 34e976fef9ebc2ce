"""Makes a ticket's scenes complete: which may be run, with which imports, and what they contradict.

Asks the sandbox where names are defined; runs no scene itself.
"""

import ast
import sys
from collections.abc import Sequence

import msgspec

from karkhana.engineers.symbolic.hands import Abstention, Hands
from karkhana.engineers.symbolic.reproduction import names
from karkhana.engineers.symbolic.reproduction.asking import Findings
from karkhana.engineers.symbolic.reproduction.claims import Claim, chosen
from karkhana.engineers.symbolic.reproduction.expectations import contradiction
from karkhana.engineers.symbolic.reproduction.names import Index
from karkhana.engineers.symbolic.reproduction.staging import Scene
from karkhana.engineers.symbolic.reproduction.ticket import parsed
from karkhana.engineers.symbolic.reproduction.trial import Trial, look_up


def refuse_contradiction(hands: Hands, claims: Sequence[Claim]) -> None:
    """Raises ``Abstention`` when a passing test asks for something else than the ticket."""
    for claim in chosen(tuple(claims)):
        if claim.kind != "equal" or claim.form:
            continue
        subject = claim.trial.scene.subject
        found = contradiction(hands, hands.assignment.baseline.passed, subject, claim.expected)
        if found is not None:
            raise Abstention(
                f"the ticket contradicts a test that passes: it asks for `{subject}` to give `{claim.expected}`, and "
                f"{found.test} (line {found.line}) for `{found.expected}`",
                f"Which is right, `{claim.expected}` or `{found.expected}`? If the ticket is, that test has to change.",
            )


def trials_of(hands: Hands, findings: Findings, text: str) -> list[Trial]:
    """Scenes that are complete and harmless, each with its imports."""
    safe: list[Scene] = []
    for scene in findings.scenes:
        why = names.refusal("\n".join((*scene.setup, scene.subject)))
        if why:
            findings.refused.append(f"`{scene.subject.splitlines()[0][:80]}` is not tried: {why}")
        else:
            safe.append(scene)
    if not safe:
        return []
    codes = [c for s in safe for c in (*s.setup, s.subject, *(said.text for said in s.said))]
    findings.index = look_up(hands.run, names.wanted(codes))
    trials: list[Trial] = []
    for scene in safe:
        code = "\n".join((*scene.setup, scene.subject))
        needed = names.resolve(code, findings.index, text)
        foreign = _foreign(code, findings.index)
        if needed.unknown or foreign:
            findings.unknown += [*needed.unknown, *foreign]
            continue
        said = tuple(s for s in scene.said if not s.text or not names.refusal(s.text))
        more = [names.resolve(s.text, findings.index, text) for s in said if s.kind == "value" and s.text]
        lines = dict.fromkeys([*needed.lines, *(line for m in more if not m.unknown for line in m.lines)])
        scene = msgspec.structs.replace(scene, said=said)  # noqa: PLW2901
        trials.append(Trial(scene, tuple(lines), needed.modules))
    return list({(t.scene.setup, t.scene.subject): t for t in reversed(trials)}.values())[::-1]


def _foreign(code: str, index: Index) -> list[str]:
    """Packages that an example imports and the repository knows nothing of."""
    tree = parsed(code)
    known = {*index.packages, *index.imported, *sys.stdlib_module_names}
    tops = [
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    ]
    return [top for top in dict.fromkeys(tops) if top and top not in known]
