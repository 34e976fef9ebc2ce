"""The weights that hold: shipped, or with what was learned; a torn file is told."""

from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidSetting
from karkhana.factory.weights import FILE, current_weights, keep_learned
from karkhana.quality.weights import COMPONENTS, Learned, Link, load_weights

EVEN = Learned(
    base=load_weights().version,
    components={name: 1 / len(COMPONENTS) for name in COMPONENTS},
    link=Link(intercept=-1.0, slope=4.0, outcomes=240, bad=40),
)


def test_those_that_ship_hold_until_others_are_learned(tmp_path: Path) -> None:
    assert current_weights(tmp_path) == load_weights()
    keep_learned(tmp_path, EVEN)
    assert current_weights(tmp_path).link == EVEN.link
    assert current_weights(tmp_path).caps == load_weights().caps


@pytest.mark.parametrize("torn", [b"{", b"{}", b'{"base": 1}'])
def test_a_damaged_file_is_told(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / FILE).write_bytes(torn)
    with pytest.raises(InvalidSetting, match=FILE):
        current_weights(tmp_path)


def test_weights_that_make_no_sense_are_told(tmp_path: Path) -> None:
    path = keep_learned(tmp_path, EVEN)
    path.write_text(path.read_text().replace('"slope": 4.0', '"slope": -4.0'))
    with pytest.raises(InvalidSetting, match="rise"):
        current_weights(tmp_path)
