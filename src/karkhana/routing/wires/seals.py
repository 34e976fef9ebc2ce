"""Whose a proof of reasoning is: providers refuse proofs of others, and conversations move between providers.

In the common form a proof begins with the name of the wire that it came on. A client of another wire sees it with
that name, gives it back unchanged as it must with any proof, and so it finds its way home.

>>> sealed("EqQB", "anthropic")
'anthropic:EqQB'
>>> shown("anthropic:EqQB", "gemini"), shown("anthropic:EqQB", "anthropic")
('anthropic:EqQB', 'EqQB')
>>> own("anthropic:EqQB", "gemini")
''
"""

from collections.abc import Iterable

import msgspec

from karkhana.domain.chat import Part, Reasoning, ToolCall

WIRES = ("openai", "anthropic", "gemini", "openai_responses", "ollama")
_HIDDEN = "hidden:"


def sealed(proof: str, wire: str) -> str:
    """A proof that came on a wire, for the common form; one from elsewhere has its name already."""
    return proof if not proof or proof.startswith(tuple(f"{name}:" for name in WIRES)) else f"{wire}:{proof}"


def shown(proof: str, wire: str) -> str:
    """A proof for a client of a wire."""
    return proof.removeprefix(f"{wire}:")


def own(proof: str, wire: str) -> str:
    """A proof for the provider of a wire; empty for what another one made."""
    return proof.removeprefix(f"{wire}:") if proof.startswith(f"{wire}:") else ""


def packed(reasoning: Reasoning) -> str:
    """Proof or hidden reasoning as one text, for a wire that has one place for both."""
    return f"{_HIDDEN}{reasoning.hidden}" if reasoning.hidden else reasoning.signature


def unpacked(text: str, proof: str) -> Reasoning:
    """The reverse of :func:`packed`, with the text that can be read."""
    if proof.startswith(_HIDDEN):
        return Reasoning(text=text, hidden=proof.removeprefix(_HIDDEN))
    return Reasoning(text=text, signature=proof)


def before_call(part: Part) -> Reasoning | None:
    """What carries a call's proof on a wire whose calls have no place for it: reasoning without a text before it."""
    return Reasoning(signature=part.signature) if isinstance(part, ToolCall) and part.signature else None


def with_proofs(parts: Iterable[Part]) -> list[Part]:
    """The reverse of :func:`before_call`. Only Gemini's calls have proofs of their own."""
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        proof = before.signature if isinstance(before, Reasoning) and not before.text else ""
        if proof.startswith("gemini:") and isinstance(part, ToolCall) and not part.signature:
            found[-1] = msgspec.structs.replace(part, signature=proof)
        else:
            found.append(part)
    return found
