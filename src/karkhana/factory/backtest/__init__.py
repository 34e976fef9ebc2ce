"""The back-test: what the forecasts of change risk would have done on a repository's own past.

Gathers a history, forecasts each commit from what was known when it was made, and compares with what became of it.
Knows nothing of terminals; :mod:`karkhana.factory.backtest.page` draws the report.

    result = backtest(Path("~/shop"), limit=1000)
"""

from karkhana.factory.backtest.results import Backtest
from karkhana.factory.backtest.running import backtest

__all__ = ["Backtest", "backtest"]
