"""The model of probability, and what it tells."""

import math
from pathlib import Path

import msgspec
import pytest

from karkhana.domain.errors import InvalidSetting
from karkhana.engineers.symbolic.choice.features import Features, log_share, odd_answers, shared_words
from karkhana.engineers.symbolic.choice.probability import (
    Model,
    Training,
    Weight,
    contributions,
    load_model,
    probability,
    reasons,
    sayings,
)

NONE = Training(date="", rows=0, tickets=0, right=0, sources={}, brier=0.0, log_loss=0.0, precision=0.0, delivered=0)
MODEL = Model(
    version="t",
    intercept=0.5,
    slope=2.0,
    shift=-1.0,
    threshold=0.5,
    training=NONE,
    features={
        "size": Weight(mean=1.0, scale=0.5, weight=-1.0),
        "held_out": Weight(mean=0.0, scale=1.0, weight=0.5),
    },
)


def test_every_feature_has_a_weight_and_words() -> None:
    names = set(Features.__struct_fields__)
    assert set(load_model().features) == names
    assert set(sayings()) == names


def test_the_formula() -> None:
    # odds = 0.5 - (2 - 1) / 0.5 + 0.5 * 1 = -1.0; calibrated 2 * -1.0 - 1.0
    assert probability({"size": 2.0, "held_out": 1.0}, MODEL) == pytest.approx(1 / (1 + math.exp(3.0)))


def test_missing_and_impossible_values_count_as_average() -> None:
    expected = probability({"size": 1.0, "held_out": 0.0}, MODEL)
    assert probability({}, MODEL) == expected
    assert probability({"size": math.nan, "held_out": math.inf}, MODEL) == expected
    assert contributions({"unheard_of": 3.0}, MODEL) == {}


def test_what_the_model_never_saw_is_not_extrapolated() -> None:
    assert contributions({"size": 1e9}, MODEL) == {"size": -4.0}
    assert 0.0 < probability({"size": 1e300, "held_out": -1e300}, MODEL) < 1.0


def test_reasons_name_the_direction_the_weightiest_first() -> None:
    told = reasons({"size": 2.0, "held_out": 1.0}, MODEL)
    assert told == (
        f"against it: {sayings()['size'].high}",
        f"for it: {sayings()['held_out'].high}",
    )
    assert reasons({"size": 0.0}, MODEL) == (f"for it: {sayings()['size'].low}",)
    assert reasons({"size": 1.01}, MODEL) == ()


def test_a_broken_model_file_is_an_invalid_setting(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_text("version = 1")
    with pytest.raises(InvalidSetting):
        load_model(path)
    with pytest.raises(InvalidSetting):
        load_model(tmp_path / "absent.toml")


def test_the_shipped_model_is_sane() -> None:
    model = load_model()
    assert 0.0 < model.threshold < 1.0
    assert model.slope > 0
    assert all(weight.scale > 0 for weight in model.features.values())


def test_parts_of_the_evidence() -> None:
    assert log_share(1, 1) == 0.0
    assert log_share(0, 5) < -10
    assert shared_words(["item_price", "("], "the price is wrong", "") == 1
    assert odd_answers(["=[1]", "='a'"], ["=[1]", '="b"']) == 0.0
    assert odd_answers(["=1", "=2"], ["=f(1)", "=True"]) == 1.0
    assert odd_answers(["!E"], ["=1"]) == 0.0


def test_features_are_plain_numbers() -> None:
    values = dict.fromkeys(Features.__struct_fields__, 1 / 3)
    assert msgspec.to_builtins(Features(**values).named()) == dict.fromkeys(Features.__struct_fields__, 0.3333)
