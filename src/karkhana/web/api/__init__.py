"""The HTTP API, version 1: what the dashboard and the command line do, for programs.

Each operation is declared once (:mod:`karkhana.web.api.contract`), and from that it is checked, carried out and
described. Knows nothing of how a ticket is solved, and decides nothing itself.
"""

from karkhana.web.api.application import Api
from karkhana.web.api.contract import Operation
from karkhana.web.site import Site


def open_api(site: Site) -> Api:
    """The program below ``/api``. What its operations need is loaded when the first of them is asked for."""
    return Api(site, _operations)


def _operations() -> tuple[Operation, ...]:
    # heavy, see there
    from karkhana.web.api.operations import OPERATIONS

    return OPERATIONS
