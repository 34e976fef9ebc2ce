"""The products that somebody may choose from, looked up again after a while. Knows nothing of who they are."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from karkhana.storage.run_lists import RunLists
from karkhana.storage.visibility import Visible

PRODUCT_COOKIE = "karkhana_product"
MOST = 200
"""Products that can be chosen from."""
FRESH_S = 20.0
REMEMBERED = 64


class Products:
    """Thread-safe."""

    def __init__(self, lists: RunLists, clock: Callable[[], float] = time.monotonic) -> None:
        self._lists = lists
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[Visible, tuple[float, list[str]]] = OrderedDict()

    def of(self, visible: Visible) -> list[str]:
        """In alphabetical order."""
        with self._lock:
            known = self._known.get(visible)
        if known is not None and self._clock() - known[0] < FRESH_S:
            return known[1]
        found = self._lists.products(MOST, visible=visible)
        with self._lock:
            self._known[visible] = self._clock(), found
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found
