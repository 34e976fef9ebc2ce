"""Who may approve a change: never whoever made it, and with four eyes not whoever ordered it.

A name is as strong as the door that it came in by: ``by`` is what a person says, ``account`` what the operating system
says, and both are compared. Knows nothing of how an answer is carried to a run.

>>> self_approval("symbolic", "", made_by=("symbolic",), ordered_by="asha", four_eyes=False)
'symbolic made the change'
>>> self_approval("asha", "asha", made_by=("symbolic",), ordered_by="asha", four_eyes=False)
''
"""

from collections.abc import Iterable

MACHINES = ("karkhana", "factory", "worker", "auto")
"""Names that no person answers by."""


def self_approval(by: str, account: str, *, made_by: Iterable[str], ordered_by: str, four_eyes: bool) -> str:
    """Why this approval does not count; empty when it does."""
    names = {name.strip().casefold() for name in (by, account)} - {""}
    for maker in (*made_by, *MACHINES):
        if maker and maker.casefold() in names:
            return f"{maker} made the change"
    if four_eyes and not ordered_by:
        return "it is not known who ordered it, and four eyes are wanted"
    if four_eyes and ordered_by.casefold() in names:
        return f"{ordered_by} ordered it, and four eyes are wanted"
    return ""
