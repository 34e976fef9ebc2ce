"""All operations of the API.

Importing this module loads what counts figures; the API does so when it is first asked.
"""

from karkhana.web.api import actions, figures, gateway, keeping, runs, service, tasks, tickets, webhooks
from karkhana.web.api.contract import Operation

OPERATIONS: tuple[Operation, ...] = (
    *tasks.OPERATIONS,
    *tickets.OPERATIONS,
    *runs.OPERATIONS,
    *actions.OPERATIONS,
    *figures.OPERATIONS,
    *gateway.OPERATIONS,
    *keeping.OPERATIONS,
    *webhooks.OPERATIONS,
    *service.OPERATIONS,
)
