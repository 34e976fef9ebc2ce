"""Training of the probability model on rows whose truth is known."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks import train_probability as training
from karkhana.engineers.symbolic.choice.probability import load_model, probability


def row(number: int, *, right: bool, library: str, source: str = "history", **features: float) -> dict[str, Any]:
    return {
        "ticket": f"{library}-{number}",
        "library": library,
        "source": source,
        "position": 0,
        "right": right,
        "judged": "same code" if right else "answers differently",
        "weight": 1.0,
        "features": dict.fromkeys(training.NAMES, 0.0) | features,
    }


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Right exactly when the margin is large, with some noise; the size says nothing."""
    dice = random.Random(1)
    found = []
    for number in range(240):
        margin, size = dice.uniform(-2, 2), dice.uniform(0, 3)
        right = (margin > 0) != (dice.random() < 0.1)
        found.append(row(number, right=right, library="abcd"[number % 4], margin=margin, size=size))
    return found


def test_what_tells_right_from_wrong_gets_the_weight(rows: list[dict[str, Any]]) -> None:
    fit = training.fit(rows, penalty=0.5)
    weights = dict(zip(training.NAMES, fit.weights, strict=True))
    assert weights["margin"] > 1.0
    assert abs(weights["size"]) < 0.4
    assert (
        fit.odds(row(0, right=True, library="a", margin=2.0))
        > 0
        > fit.odds(row(0, right=True, library="a", margin=-2.0))
    )


def test_without_evidence_weights_stay_at_the_beliefs() -> None:
    same = [row(n, right=bool(n % 2), library="ab"[n % 2]) for n in range(10)]
    weights = dict(zip(training.NAMES, training.fit(same).weights, strict=True))
    assert weights["share"] == pytest.approx(training.sayings()["share"].belief)


def test_no_row_is_judged_by_a_model_that_saw_its_library(rows: list[dict[str, Any]]) -> None:
    turned = [{**r, "right": not r["right"]} if r["library"] == "a" else r for r in rows]
    plain, other = training.cross_validated(rows), training.cross_validated(turned)
    for one, two, r in zip(plain, other, rows, strict=True):
        assert (one == two) == (r["library"] == "a")


def test_calibration_brings_exaggerated_odds_back(rows: list[dict[str, Any]]) -> None:
    odds = [20.0 if r["features"]["margin"] > 0 else -20.0 for r in rows]
    slope, shift = training.platt(odds, rows)
    stated = training.sigmoid(slope * 3.0 + shift)
    assert 0.85 < stated < 0.95


def pairs(count: int, chance: float, *, right: bool, library: str) -> list[tuple[float, dict[str, Any]]]:
    return [(chance, row(n, right=right, library=library)) for n in range(count)]


def test_the_threshold_lets_through_what_is_right_often_enough() -> None:
    sure, unsure = pairs(20, 0.9, right=True, library="a"), pairs(20, 0.4, right=False, library="b")
    least, precision, count = training.threshold_for([*unsure, *sure])
    assert precision >= 0.75
    assert count >= 20
    assert 0.0 < least < 0.9
    assert training.threshold_for(pairs(30, 0.95, right=False, library="b")) == (0.9, 0.0, 30)


def test_a_few_tickets_do_not_overrule_what_the_model_says() -> None:
    few = [*pairs(3, 0.9, right=True, library="a"), *pairs(1, 0.8, right=False, library="b")]
    least, precision, count = training.threshold_for(few)
    assert (precision, count) == (0.75, 4)
    assert least == 0.6
    many = [*pairs(30, 0.9, right=True, library="a"), *pairs(30, 0.8, right=False, library="b")]
    assert training.threshold_for(many)[0] == 0.85


def test_no_weight_turns_against_its_belief(rows: list[dict[str, Any]]) -> None:
    turned = [r | {"features": r["features"] | {"margin": -r["features"]["margin"]}} for r in rows]
    weights = dict(zip(training.NAMES, training.fit(turned, penalty=0.5).weights, strict=True))
    assert weights["margin"] == 0.0
    assert training.sayings()["margin"].belief > 0


def test_a_perfect_forecast_has_no_loss(rows: list[dict[str, Any]]) -> None:
    told = training.reliability(rows, [float(r["right"]) for r in rows])
    assert told["brier"] == 0.0
    assert [line[3] for line in told["table"]] == [0.0, 1.0]


def test_the_written_model_is_the_fitted_one(
    rows: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "rows" / "history"
    folder.mkdir(parents=True)
    for r in rows:
        (folder / f"{r['ticket']}.json").write_text(json.dumps([r]))
    written = tmp_path / "probability.toml"
    monkeypatch.setattr(training, "MODEL", written)
    monkeypatch.setattr(
        "sys.argv", ["train", "--rows", str(tmp_path / "rows"), "--date", "2026-01-02", "--write", "--json"]
    )
    training.main()
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["rows"] == 240
    assert figures["brier"] < figures["base_rate_brier"]
    model = load_model(written)
    assert (model.training.rows, model.training.date) == (240, "2026-01-02")
    likely = dict.fromkeys(training.NAMES, 0.0)
    assert probability(likely | {"margin": 2.0}, model) > 0.7
    assert probability(likely | {"margin": -2.0}, model) < 0.3


def test_classes_that_the_judge_cannot_tell_apart_count_once(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    several = [row(1, right=right, library="a") for right in (False, True, True, False, True, False)]
    (tmp_path / "history" / "a@1.json").write_text(json.dumps(several))
    assert [r["right"] for r in training.load_rows(tmp_path)] == [False, True, False]
