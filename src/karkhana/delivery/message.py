"""The commit message of a change: what, why, the evidence, and trailers that lead back to the run.

Everything but the identifiers is untrusted text. Knows nothing of git.

    Keep the discount when the cart is empty

    total() divided by the number of items before it looked whether there are any.

    Asked for: "total() fails for an empty cart"

    What speaks for it (score 0.87):
    - suite: 12 tests passed before, 13 after

    Karkhana-Run: run_01J...
    Karkhana-Task: BUILD-2026-05-12-047
    Karkhana-Score: 0.87
"""

import re
import textwrap

from karkhana.delivery.text import WIDTH, one_line, paragraphs
from karkhana.domain.changes import Change
from karkhana.domain.confidence import Confidence
from karkhana.domain.evidence import Evidence, GateResult, GateStatus
from karkhana.domain.tasks import Ticket

SUBJECT_MAX = 72


def commit_message(
    change: Change,
    *,
    run_id: str,
    task_id: str,
    confidence: Confidence,
    ticket: Ticket,
    evidence: Evidence | None = None,
    trail: str = "",
) -> str:
    """The whole message, ending with a line feed. ``trail`` is the hash of the run's trail at this point."""
    trailers = {
        "Karkhana-Run": run_id,
        "Karkhana-Task": task_id,
        "Karkhana-Score": f"{confidence.score:.2f}",
        "Karkhana-Trail": trail,
    }
    parts = [
        subject(change, ticket),
        paragraphs(change.summary),
        _wrapped(f'Asked for: "{one_line(ticket.text, 200)}"' + _reference(ticket)),
        _evidence(confidence, evidence),
        "\n".join(f"{key}: {_identifier(value)}" for key, value in trailers.items() if value),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def subject(change: Change, ticket: Ticket) -> str:
    """One line of at most 72 characters, without a full stop."""
    text = (
        one_line(change.title, SUBJECT_MAX) or one_line(ticket.text, SUBJECT_MAX) or "Change what the ticket asks for"
    )
    text = text.rstrip(". ")
    return text[:1].upper() + text[1:] if not re.match(r"[\w.]+\(", text) else text


def _reference(ticket: Ticket) -> str:
    return f" ({one_line(ticket.reference, 200)})" if ticket.reference else ""


def _evidence(confidence: Confidence, evidence: Evidence | None) -> str:
    if evidence is None:
        said = [one_line(c.because, 240) for c in confidence.components if c.name in ("behaviour", "coverage")]
    else:
        said = [_measured(gate) for gate in evidence.gates]
    return "\n".join([f"What speaks for it (score {confidence.score:.2f}):", *(_item(text) for text in said if text)])


def _item(text: str) -> str:
    return textwrap.fill(
        f"- {text.rstrip('.')}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _measured(gate: GateResult) -> str:
    ended = "" if gate.status is GateStatus.PASSED else f" {gate.status}"
    return f"{gate.gate}{ended}: {one_line(gate.summary, 160)}"


def _wrapped(text: str) -> str:
    return paragraphs(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _identifier(text: str) -> str:
    return re.sub(r"[^\w.:/+-]", "_", text)[:120]
