from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidInput, InvalidSetting
from karkhana.domain.strategies import Strategy
from karkhana.domain.tasks import TaskType
from karkhana.engineers.llm.strategies import shipped
from karkhana.learning.shelf import Figures, Kept, Shelf, Standing

FIGURES = Figures(against="plain@1", tickets=8, wins=6, losses=0, p_value=0.016, level=0.025)


def kept(standing: Standing = Standing.ADMITTED, version: int = 1, **more: object) -> Kept:
    strategy = Strategy(name="tests-first", version=version, text="Run the tests.", types=(TaskType.BUGFIX,))
    return Kept(strategy=strategy, standing=standing, figures=FIGURES, **more)  # type: ignore[arg-type]


def test_what_ships_is_there_and_first(tmp_path: Path) -> None:
    assert [each.strategy.key for each in Shelf(tmp_path, shipped()).all()] == ["plain@1"]


def test_what_was_admitted_is_used_for_its_types_and_what_was_rejected_never(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, shipped())
    shelf.keep(kept())
    shelf.keep(kept(Standing.REJECTED, version=2))
    assert [each.key for each in shelf.usable(TaskType.BUGFIX)] == ["plain@1", "tests-first@1"]
    assert [each.key for each in shelf.usable(TaskType.FEATURE)] == ["plain@1"]
    assert shelf.get("tests-first@2").figures == FIGURES
    assert shelf.get("tests-first").strategy.version == 1
    assert shelf.next_version("tests-first") == 3


def test_the_newest_version_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, shipped())
    shelf.keep(kept())
    shelf.keep(kept(version=2))
    assert [each.key for each in shelf.usable(TaskType.BUGFIX)] == ["plain@1", "tests-first@2"]


def test_what_is_retired_is_chosen_no_more_and_stays_readable(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, shipped())
    shelf.keep(kept())
    assert shelf.retire("plain").standing is Standing.RETIRED
    assert [each.key for each in shelf.usable(TaskType.BUGFIX)] == ["tests-first@1"]
    assert shelf.get("plain@1").standing is Standing.RETIRED
    with pytest.raises(InvalidInput, match="last strategy"):
        shelf.retire("tests-first")


def test_a_version_is_written_once(tmp_path: Path) -> None:
    Shelf(tmp_path, shipped()).keep(kept())
    with pytest.raises(InvalidInput, match="already"):
        Shelf(tmp_path, shipped()).keep(kept())


def test_a_file_that_a_person_wrote_counts_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.toml").write_text('name = "mine"\ntext = "Look twice."\n[limits]\ntemperature = 0.2\n')
    assert Shelf(tmp_path, shipped()).get("mine").standing is Standing.WRITTEN
    (folder / "mine.toml").write_text('name = "mine"\nlimits.usd = 100\n')
    with pytest.raises(InvalidSetting, match=r"mine\.toml is no strategy"):
        Shelf(tmp_path, shipped()).all()


def test_an_unknown_name_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no strategy 'x'") as raised:
        Shelf(tmp_path, shipped()).get("x")
    assert "plain@1" in raised.value.next
