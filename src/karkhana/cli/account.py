"""Who is at the keyboard, as the operating system knows it."""

import getpass
import os


def account() -> str:
    """The user's name; the number where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
