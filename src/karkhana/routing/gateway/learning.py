"""What the gateway knows of its models, over changes of the configuration. Knows nothing of requests.

Nothing is read, kept or written unless some model's policy looks at more than the order of the configuration.
"""

from pathlib import Path

from karkhana.routing.configuration import Configuration
from karkhana.routing.gateway.choosing import Choosing
from karkhana.routing.policy.choosing import Policy, Wording
from karkhana.routing.policy.notebook import Notebook
from karkhana.routing.policy.settings import IN_ORDER, PolicySettings
from karkhana.routing.policy.wording import WordingModel
from karkhana.routing.prices import PriceBook
from karkhana.storage.database import Database
from karkhana.storage.route_store import RouteStore


class Learning:
    """Makes the choosing of each configuration; what was learnt stays as long as the policy's settings do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settings: PolicySettings | None = None
        self._notebook: Notebook | None = None
        self._left: list[Notebook] = []

    def choosing(self, configuration: Configuration, prices: PriceBook) -> Choosing:
        """Blocks: outcomes are read. Raises ``ConfigurationError`` for a model of the wording that cannot be."""
        settings = configuration.policy
        if all(model.entry.policy == IN_ORDER for model in configuration.models.values()):
            self._leave(None, None)
            return Choosing(configuration, prices)
        wording = read_wording(settings)
        notebook = self._notebook
        if notebook is None or settings != self._settings:
            notebook = Notebook(RouteStore(self._database), settings)
            notebook.load()
            self._leave(notebook, settings)
        policy = Policy(settings, prices, notebook.posteriors, notebook.habits, wording=wording)
        return Choosing(configuration, prices, notebook, policy)

    async def settle(self) -> None:
        """Begin to write what the newest choosing is told, and end those before that have no call under way."""
        if self._notebook is not None:
            self._notebook.start()
        done = [notebook for notebook in self._left if not notebook.busy]
        self._left = [notebook for notebook in self._left if notebook.busy]
        for notebook in done:
            await notebook.close()

    async def close(self) -> None:
        """Write down what is left."""
        self._leave(None, None)
        while self._left:
            await self._left.pop().close()

    def _leave(self, notebook: Notebook | None, settings: PolicySettings | None) -> None:
        if self._notebook is not None:
            self._left.append(self._notebook)
        self._notebook, self._settings = notebook, settings


def read_wording(settings: PolicySettings) -> Wording | None:
    """The model of the wording that the settings name, if any. Raises ``ConfigurationError``."""
    return WordingModel.load(Path(settings.wording)) if settings.wording else None
