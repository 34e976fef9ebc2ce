"""Proofs of reasoning on Gemini's wire, where they are bytes in base64. Knows what :mod:`..seals` knows.

>>> written(read("c2lnbmF0dXJl")), read(written("anthropic:EqQB"))
('c2lnbmF0dXJl', 'anthropic:EqQB')
"""

import base64

from karkhana.routing.wires.seals import sealed, shown

ANYTHING = "skip_thought_signature_validator"
"""Stands in for the proof of a call that another model made; newer models refuse calls without one.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures (questions and answers).
"""
_FOREIGN = b"karkhana:"


def written(proof: str) -> str:
    """A proof for a client; one of another wire is wrapped, for clients decode it."""
    text = shown(proof, "gemini")
    return text if text != proof or not proof else base64.b64encode(_FOREIGN + proof.encode()).decode("ascii")


def read(text: str) -> str:
    """A proof that a client gives back. Clients may have written the base64 anew in its other alphabet."""
    try:
        inner = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        inner = b""
    if inner.startswith(_FOREIGN):
        return inner.removeprefix(_FOREIGN).decode("utf-8", "replace")
    return "" if text == ANYTHING else sealed(text, "gemini")
