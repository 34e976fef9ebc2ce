"""Train the model of how probable a passing change is right, and say how good it is.

    python -m benchmarks.train_probability [--rows DIR] [--write] [--json]

DIR holds the rows that ``benchmarks.probability_rows`` wrote. The model is a logistic regression over standardised
features (Newton's method), its weights pulled to the beliefs of ``features.toml`` and never turned against them, then
Platt's calibration. Rows of mined tickets weigh more than those of seeded bugs and small programs; the rows of one
ticket share its weight. All figures are cross-validated by library: a library's rows are never judged by a model that
saw it. The threshold is the lowest probability at which the mined tickets that would be delivered are right often
enough. ``--write`` puts the model where the engineer reads it.
"""

import argparse
import itertools
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import karkhana.engineers.symbolic
from benchmarks.common import emit
from benchmarks.mine import DATA
from karkhana.engineers.symbolic.choice.features import Features
from karkhana.engineers.symbolic.choice.probability import load_model, sayings

NAMES = Features.__struct_fields__
MODEL = Path(karkhana.engineers.symbolic.__file__).parent / "choice" / "probability.toml"
_SOURCE_WEIGHT = {"history": 3.0, "seeded": 1.0, "humanevalfix": 0.7}
_PENALTY = 6.0
_NOT_COMPARED = 0.3
"""Weight of a row that counts as wrong because the judge could not compare it."""
_PRECISION = 0.72
"""Share of right ones asked of what is delivered on mined tickets; the bar is 0.70."""
_DOUBT = 2.0
_NEARLY_SURE, _LEAST_THRESHOLD = 0.9, 0.6
"""What is called right with odds below three to two is never handed over, whatever a few tickets show."""
_CLASSES = 3
"""Rows of one ticket: what comes behind the third hardly ever matters, and would outnumber what does."""
_LEAST_SCALE = 0.2
"""Of a feature: one that hardly varies in the rows must not turn a hair into a verdict."""
_FAR_ODDS = 3.0
_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)
Row = dict[str, Any]


@dataclass(frozen=True)
class Fit:
    """Means, scales and weights by feature, and the intercept."""

    means: list[float]
    scales: list[float]
    weights: list[float]
    intercept: float

    def odds(self, row: Row) -> float:
        values = standardised(row, self.means, self.scales)
        return self.intercept + sum(w * value for w, value in zip(self.weights, values, strict=True))


def standardised(row: Row, means: Sequence[float], scales: Sequence[float]) -> list[float]:
    """Each feature of a row in standard deviations from the mean, within ±4."""
    numbers = zip(NAMES, means, scales, strict=True)
    return [max(-4.0, min(4.0, (row["features"].get(name, mean) - mean) / scale)) for name, mean, scale in numbers]


def load_rows(folder: Path) -> list[Row]:
    """All rows, in a fixed order, each with its weight."""
    rows: list[Row] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*/*.json")):
        # The same ticket from a report of the benchmark; our own rows tell of the rivals too.
        ticket = path.stem.replace("@report-", "@").partition("@")
        if (key := "@".join((ticket[0], ticket[2][:10])).removesuffix("@")) in seen and ticket[2]:
            continue
        seen.add(key)
        # What fails in the whole suite is never handed over, so the probability is not about it.
        found = [row for row in json.loads(path.read_text()) if row["judged"] != "its own tests fail"]
        found = _told_apart(found)[:_CLASSES]
        share = 1.0 / math.sqrt(max(1, len(found)))
        rows += [row | {"weight": share * _SOURCE_WEIGHT[row["source"]] * _certainty(row)} for row in found]
    return rows


def _told_apart(rows: list[Row]) -> list[Row]:
    """Without the right ones behind the first of them: classes that the judge cannot tell apart teach nothing."""
    first = next((n for n, row in enumerate(rows) if row["right"]), len(rows))
    return [row for n, row in enumerate(rows) if n <= first or not row["right"]]


def _certainty(row: Row) -> float:
    return _NOT_COMPARED if row["judged"].startswith("not ") else 1.0


def fit(rows: Sequence[Row], penalty: float = _PENALTY) -> Fit:
    """Weighted ridge logistic regression; no weight has the sign opposite to its belief."""
    means, scales = [], []
    for name in NAMES:
        # Rows from before a feature was thought of count as average.
        known = [(r["weight"], r["features"][name]) for r in rows if name in r["features"]] or [(1.0, 0.0)]
        total = sum(weight for weight, _ in known)
        mean = sum(weight * value for weight, value in known) / total
        means.append(mean)
        scales.append(max(_LEAST_SCALE, math.sqrt(sum(w * (v - mean) ** 2 for w, v in known) / total)))
    values = [standardised(r, means, scales) for r in rows]
    answers, shares = [float(r["right"]) for r in rows], [r["weight"] for r in rows]
    beliefs = [sayings()[name].belief for name in NAMES]
    used = list(range(len(NAMES)))
    while True:
        design = [[1.0, *(row[k] for k in used)] for row in values]
        found = logistic(design, answers, shares, penalty, [0.0, *(beliefs[k] for k in used)])
        weights = dict(zip(used, found[1:], strict=True))
        # A weight that turns against its belief fits the noise of few rows; without it, unseen rows fit better.
        kept = [k for k in used if weights[k] * beliefs[k] >= 0]
        if len(kept) == len(used):
            return Fit(means, scales, [weights.get(k, 0.0) for k in range(len(NAMES))], found[0])
        used = kept


def logistic(
    design: Sequence[Sequence[float]],
    answers: Sequence[float],
    weights: Sequence[float],
    penalty: float,
    beliefs: Sequence[float],
) -> list[float]:
    """Coefficients by Newton's method, pulled to ``beliefs``; the first column (the intercept) is not pulled."""
    size = len(design[0])
    found = [0.0] * size
    for _ in range(50):
        gradient = [penalty * (beliefs[k] - b) if k else 0.0 for k, b in enumerate(found)]
        hessian = [[(penalty if j == k and k else 1e-9 * (j == k)) for j in range(size)] for k in range(size)]
        for row, answer, weight in zip(design, answers, weights, strict=True):
            chance = sigmoid(sum(b * x for b, x in zip(found, row, strict=True)))
            error, curve = weight * (answer - chance), weight * chance * (1 - chance)
            for k, x in enumerate(row):
                gradient[k] += error * x
                for j in range(k + 1):
                    hessian[k][j] += curve * x * row[j]
        for k in range(size):
            for j in range(k):
                hessian[j][k] = hessian[k][j]
        step = solve(hessian, gradient)
        found = [b + s for b, s in zip(found, step, strict=True)]
        if max(map(abs, step)) < 1e-8:
            break
    return found


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with pivots."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = max(range(k, size), key=lambda n: abs(rows[n][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for n in range(k + 1, size):
            factor = rows[n][k] / rows[k][k]
            if factor:
                rows[n] = [a - factor * b for a, b in zip(rows[n], rows[k], strict=True)]
    found = [0.0] * size
    for k in reversed(range(size)):
        found[k] = (rows[k][size] - sum(rows[k][n] * found[n] for n in range(k + 1, size))) / rows[k][k]
    return found


def sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))


def platt(odds: Sequence[float], rows: Sequence[Row]) -> tuple[float, float]:
    """Slope and shift of Platt's calibration (Platt, 1999), with a mild pull to slope 1.

    Odds count up to ±3: one row that is misjudged must not make all others doubtful.
    """
    design = [[1.0, max(-_FAR_ODDS, min(_FAR_ODDS, o))] for o in odds]
    found = logistic(design, [float(r["right"]) for r in rows], [r["weight"] for r in rows], 2.0, [0.0, 1.0])
    return max(0.1, found[1]), found[0]


def cross_validated(rows: Sequence[Row], penalty: float = _PENALTY) -> list[float]:
    """Log odds of each row by a model that saw nothing of its library."""
    odds = [0.0] * len(rows)
    for library in sorted({r["library"] for r in rows}):
        if library == "humanevalfix":
            continue
        model = fit([r for r in rows if r["library"] != library], penalty)
        for n, row in enumerate(rows):
            if row["library"] == library:
                odds[n] = model.odds(row)
    # HumanEvalFix is one library by name, many programs in truth: by halves.
    own = [n for n, r in enumerate(rows) if r["library"] == "humanevalfix"]
    tickets = sorted({rows[n]["ticket"] for n in own})
    for part in (tickets[::2], tickets[1::2]):
        model = fit([r for r in rows if r["ticket"] not in part], penalty)
        for n in own:
            if rows[n]["ticket"] in part:
                odds[n] = model.odds(rows[n])
    return odds


def first_of_each(rows: Sequence[Row], chances: Sequence[float]) -> list[tuple[float, Row]]:
    """The likeliest row of each ticket: what would be handed over."""
    best: dict[str, tuple[float, Row]] = {}
    for row, chance in zip(rows, chances, strict=True):
        if row["ticket"] not in best or chance > best[row["ticket"]][0]:
            best[row["ticket"]] = (chance, row)
    return [best[ticket] for ticket in sorted(best)]


def threshold_for(delivered: Sequence[tuple[float, Row]]) -> tuple[float, float, int]:
    """The lowest threshold with the wanted precision, and the share and number of right ones above it.

    The share is smoothed by ``_DOUBT`` tickets that are right as often as the model says of those above: a handful of
    tickets tells little. What could not be compared counts as wrong with the weight that it was learned with. Only what
    is nearly sure when the tickets show no threshold.
    """
    ordered = sorted(delivered, key=lambda pair: -pair[0])
    least = _NEARLY_SURE
    right, judged, stated = 0, 0.0, 0.0
    for count, (chance, row) in enumerate(ordered, 1):
        right += row["right"]
        judged += _certainty(row)
        stated += chance
        behind = ordered[count][0] if count < len(ordered) else 0.0
        if behind < chance and (right + _DOUBT * stated / count) / (judged + _DOUBT) >= _PRECISION:
            least = max(_LEAST_THRESHOLD, round((chance + behind) / 2, 3))
    through = [row["right"] for chance, row in ordered if chance >= least]
    return least, sum(through) / len(through) if through else 0.0, len(through)


def reliability(rows: Sequence[Row], chances: Sequence[float]) -> dict[str, Any]:
    """Brier score, log loss and a calibration table, each ticket's rows weighing alike."""
    weights = [r["weight"] for r in rows]
    total = sum(weights)
    pairs = list(zip(rows, chances, weights, strict=True))
    brier = sum(w * (c - r["right"]) ** 2 for r, c, w in pairs) / total
    loss = -sum(w * math.log(max(1e-9, c if r["right"] else 1 - c)) for r, c, w in pairs) / total
    table = []
    for low, high in itertools.pairwise(_BINS):
        inside = [(r, c) for r, c, _ in pairs if low <= c < high or (high == 1.0 and c == 1.0)]
        if inside:
            mean = sum(c for _, c in inside) / len(inside)
            share = sum(r["right"] for r, _ in inside) / len(inside)
            table.append([f"{low:.1f}-{high:.1f}", len(inside), round(mean, 3), round(share, 3)])
    return {"brier": round(brier, 4), "log_loss": round(loss, 4), "table": table}


def of_source(delivered: Sequence[tuple[float, Row]], least: float) -> dict[str, list[int]]:
    """Source → tickets with a passing change, delivered at the threshold, right among these, right first in all."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for chance, row in delivered:
        figures = found[row["source"]]
        figures[0] += 1
        figures[1] += chance >= least
        figures[2] += chance >= least and row["right"]
        figures[3] += row["right"]
    return dict(found)


def model_text(found: Fit, calibration: tuple[float, float], least: float, training: dict[str, Any]) -> str:
    """``probability.toml``."""
    sources = training.pop("sources")
    lines = [
        "# How probable a passing change is right. Written by benchmarks/train_probability.py from the rows of",
        "# benchmarks/probability_rows.py; both say how. The figures are cross-validated by library.",
        f'version = "{training["date"]}"',
        f"intercept = {found.intercept:.4f}",
        f"slope = {calibration[0]:.4f}",
        f"shift = {calibration[1]:.4f}",
        f"threshold = {least}",
        "",
        "[training]",
        *(f"{key} = {json.dumps(value)}" for key, value in training.items()),
        "[training.sources]",
        *(f"{key} = {value}" for key, value in sorted(sources.items())),
        "",
    ]
    for name, mean, scale, weight in zip(NAMES, found.means, found.scales, found.weights, strict=True):
        lines += [f"[features.{name}]", f"mean = {mean:.4f}", f"scale = {scale:.4f}", f"weight = {weight:.4f}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=DATA / "probability")
    parser.add_argument("--penalty", type=float, default=_PENALTY)
    parser.add_argument("--date", default="", help="date of the data, for the file")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = load_rows(options.rows)
    if len({r["right"] for r in rows}) < 2:
        raise SystemExit(f"{options.rows} holds no right or no wrong rows; write some: benchmarks.probability_rows")
    odds = cross_validated(rows, options.penalty)
    calibration = platt(odds, rows)
    chances = [sigmoid(calibration[0] * o + calibration[1]) for o in odds]
    delivered = first_of_each(rows, chances)
    mined = [pair for pair in delivered if pair[1]["source"] == "history"]
    least, precision, count = threshold_for(mined or delivered)
    told = reliability(rows, chances)
    figures = {
        "rows": len(rows),
        "right": sum(r["right"] for r in rows),
        "tickets": len(delivered),
        "brier": told["brier"],
        "log_loss": told["log_loss"],
        "base_rate_brier": round(_base_brier(rows), 4),
        "threshold": least,
        "precision": round(precision, 3),
        "delivered": count,
        "first_by_old_model": sum(r["right"] for r in rows if r["position"] == 0),
        "sources": of_source(delivered, least),
        "calibration": told["table"],
        "over_0_9": _over(mined),
    }
    found = fit(rows, options.penalty)
    for line in told["table"]:
        print("  probability {}: {} rows, stated {}, right {}".format(*line), file=sys.stderr)
    for name, weight in sorted(zip(NAMES, found.weights, strict=True), key=lambda p: -abs(p[1])):
        print(f"  {name:<24} {weight:+.3f}", file=sys.stderr)
    for source, values in figures["sources"].items():
        print("  {}: {} tickets pass, {} delivered, {} right; {} right first".format(source, *values), file=sys.stderr)
    if options.write:
        training = {
            "date": options.date or load_model().training.date,
            "rows": len(rows),
            "tickets": len(delivered),
            "right": figures["right"],
            "brier": told["brier"],
            "log_loss": told["log_loss"],
            "precision": figures["precision"],
            "delivered": count,
            "sources": Counter(pair[1]["source"] for pair in delivered),
        }
        MODEL.write_text(model_text(found, calibration, least, training))
    emit("Probability model", figures, as_json=options.json)


def _base_brier(rows: Sequence[Row]) -> float:
    total = sum(r["weight"] for r in rows)
    rate = sum(r["weight"] * r["right"] for r in rows) / total
    return rate * (1 - rate)


def _over(mined: Sequence[tuple[float, Row]]) -> list[int]:
    sure = [row for chance, row in mined if chance > 0.9]
    return [len(sure), sum(row["right"] for row in sure)]


if __name__ == "__main__":
    main()
