"""Who is at the keyboard, as the operating system knows it."""

import getpass
import os

from karkhana.domain.access import EVERYTHING, Principal, Role


def account() -> str:
    """The user's name; the number where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def at_terminal() -> Principal:
    """Who is at the keyboard, for the audit: whoever can open the database may do everything."""
    return Principal(name=account(), roles={EVERYTHING: Role.ADMIN}, via="terminal")
