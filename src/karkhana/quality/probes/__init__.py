"""Programs for the sandbox, run with the target's interpreter; only their text is read on the host.

They are joined in the order of their imports: nothing of Karkhana can be imported where they run.

>>> "def candidates(" in program("openapi_probe", "web_probe")
True
"""

import re
from functools import lru_cache
from importlib import resources

_OURS = re.compile(r"^from karkhana\.[\w.]+ import (?:\([^)]*\)|[^\n(]*)\n", re.MULTILINE)


@lru_cache(maxsize=16)
def program(*names: str) -> str:
    """The text of the named programs, one after the other, without what they import from each other."""
    folder = resources.files(__package__)
    return "\n".join(_OURS.sub("", folder.joinpath(f"{name}.py").read_text("utf-8")) for name in names)
