"""Constants are found where they stand, also in other files and behind other constants."""

from karkhana.behaviour.spectra import FunctionPlace
from karkhana.engineers.symbolic.generation.declarations import declarations
from karkhana.engineers.symbolic.generation.places import Place, cut, declared, sources
from karkhana.engineers.symbolic.generation.told import Told
from karkhana.engineers.symbolic.localisation.localise import Suspect

TEXT = (
    "from .words import WORDS\nfrom . import tables\n\n\n"
    "def known(word):\n    return word in WORDS or tables.MORE[word]\n"
)
FILES = {"shop/words.py": "BASE = ['a']\nOTHER = 1\nWORDS = [*BASE, 'b']\n", "shop/tables.py": "MORE = {}\nLESS = {}\n"}


def place() -> Place:
    where = FunctionPlace(name="known", top=5, start=5, end=6)
    suspect = Suspect(path="shop/text.py", place=where, score=2.0, lines={6: 1.0}, failing=(0,), passing=(1,))
    return Place(suspect=suspect, text=cut(TEXT, suspect), file_text=TEXT)


def test_imported_constants_are_places_too() -> None:
    found = {p.suspect.path: p for p in declared((place(),), read=FILES.get)}
    assert [d.text for d in found["shop/tables.py"].declarations] == ["MORE = {}\n"]
    texts = {d.text: d.strength for d in found["shop/words.py"].declarations}
    assert set(texts) == {"BASE = ['a']\n", "WORDS = [*BASE, 'b']\n"}
    assert texts["BASE = ['a']\n"] < texts["WORDS = [*BASE, 'b']\n"]
    assert found["shop/words.py"].suspect.failing == (0,)


def test_without_a_reader_only_the_files_of_suspects_are_looked_at() -> None:
    assert [p.suspect.path for p in declared((place(),))] == ["shop/text.py"]


def test_of_many_classes_with_one_constant_those_spoken_of_count() -> None:
    text = "".join(f"class {name}Locale:\n    days = '{name}'\n\n\n" for name in ("Danish", "Greek", "Thai", "Irish"))
    found = declarations(text, {"days": 1.0}, Told("test_greek\n\nclass TestGreekLocale"))
    assert max(found, key=lambda d: d.strength).text == "    days = 'Greek'\n"
    assert sum(d.strength >= 1 for d in found) == 1


def test_imports_of_other_packages_are_left_alone() -> None:
    assert sources("import os\nfrom re import compile\nfrom shop.a import B\n", "shop/text.py") == {
        "B": ("shop/a/B.py", "shop/a.py")
    }
    assert sources("def f(:\n", "a.py") == {}
