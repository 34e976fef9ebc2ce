"""The report of a back-test as one HTML page: no script, no font, no picture from elsewhere; dark and light.

Everything that a repository says (titles, names) is escaped by the template. Knows nothing of how figures are made.

    Path("report.html").write_text(page(result), encoding="utf-8")
"""

import datetime
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from karkhana.factory.backtest.results import Backtest
from karkhana.factory.plots import Plot, ceiling, floor


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("karkhana.factory.backtest", "."),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = _percent
    made.filters["day"] = _day
    return made


def page(result: Backtest) -> str:
    """The page, ending with a line feed."""
    reach = ceiling([one.forecast for one in result.calibration] + [one.high for one in result.calibration], 0.1)
    shares = [one.high for one in result.thresholds if one.high is not None and one.deployed]
    through = [one.share for one in result.thresholds if one.deployed]
    rates = [one.bad / one.count for one in result.blocks] + [one.forecast for one in result.blocks]
    timeline = Plot(x=(0, max(1, len(result.blocks) - 1)), y=(0, ceiling(rates, 0.1)), width=900, height=240)
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            result=result,
            calibration=Plot(x=(0, reach), y=(0, reach)),
            curve=Plot(x=(0, 1), y=(0, 1)),
            tradeoff=Plot(x=(floor(through), 1), y=(0, ceiling(shares, 0.1))),
            timeline=timeline,
        )
        + "\n"
    )


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value * 100:.{digits}f} %"


def _day(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
