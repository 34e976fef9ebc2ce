"""The strategies that ship, one file each. Knows nothing of how they are chosen, nor of what users keep.

>>> [strategy.key for strategy in shipped()]
['plain@1']
"""

import functools
from importlib import resources

import msgspec

from karkhana.domain.strategies import Strategy


@functools.cache
def shipped() -> tuple[Strategy, ...]:
    """All of them, by name."""
    files = (file for file in resources.files(__package__).iterdir() if file.name.endswith(".toml"))
    return tuple(sorted((msgspec.toml.decode(file.read_bytes(), type=Strategy) for file in files), key=lambda s: s.key))
