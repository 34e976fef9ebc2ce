"""The weights that hold: those that ship, with what this installation's outcomes taught.

Knows nothing of how they are learned or used.
"""

from pathlib import Path

import msgspec

from karkhana.domain.errors import InvalidSetting
from karkhana.quality.weights import Learned, Weights, load_weights

FILE = "score.json"
"""In the home folder."""


def current_weights(home: Path) -> Weights:
    """Raises ``InvalidSetting`` when what was learned cannot be read."""
    path = home / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Learned).over(load_weights())
    except FileNotFoundError:
        return load_weights()
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise InvalidSetting(f"{path}: {error}", "Learn it again: karkhana outcomes learn. Or delete it.") from error


def keep_learned(home: Path, learned: Learned) -> Path:
    """Let it hold from now on; in one step, so that nobody reads a half of it."""
    path = home / FILE
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(learned)) + b"\n")
    draft.replace(path)
    return path
