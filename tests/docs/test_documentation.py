"""The documentation names every command, setting, event, tool, status and error code; its examples run."""

import doctest
import importlib
import pkgutil
import re
import typing
from pathlib import Path

import msgspec
import pytest

import karkhana
from karkhana.cli.main import COMMANDS
from karkhana.domain import errors, events, tools
from karkhana.domain.settings import Settings
from karkhana.domain.tasks import Status

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text()


def settings_keys() -> list[str]:
    keys = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            keys += [f"{field.name}.{inner.name}" for inner in msgspec.structs.fields(field.type)]
        else:
            keys.append(field.name)
    return keys


@pytest.mark.parametrize("key", settings_keys())
def test_every_setting_is_documented(key: str) -> None:
    text = page("configuration.md")
    assert f"| `{key}` |" in text
    assert "KARKHANA_" + key.upper().replace(".", "_") in text


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^\| `([a-z_.]+)` \|", page("configuration.md"), re.M)
    assert sorted(documented) == sorted(settings_keys())


@pytest.mark.parametrize("kind", typing.get_args(events.AnyEvent), ids=lambda kind: kind.__name__)
def test_every_event_is_documented(kind: type[events.Event]) -> None:
    assert f"`{kind.__struct_config__.tag}`" in page("concepts.md")


@pytest.mark.parametrize("kind", typing.get_args(tools.AnyToolCall), ids=lambda kind: kind.__name__)
def test_every_tool_is_documented(kind: type[msgspec.Struct]) -> None:
    assert f"`{kind.__struct_config__.tag}`" in page("concepts.md")


@pytest.mark.parametrize("status", Status)
def test_every_status_is_documented(status: Status) -> None:
    assert f"`{status.value}`" in page("concepts.md")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"karkhana {name}" in page("cli.md")
    assert importlib.import_module(f"karkhana.cli.commands.{name}").app


def modules() -> list[str]:
    found = pkgutil.walk_packages(karkhana.__path__, "karkhana.")
    inside = re.compile(r"\.(cli\.sample|behaviour\.probes|workspace\.inside|storage\.migrations)\.|\.__main__$")
    return [module.name for module in found if not inside.search(module.name + ".")]


def error_kinds() -> list[type[errors.KarkhanaError]]:
    for name in modules():
        importlib.import_module(name)
    kinds = [errors.KarkhanaError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return [kind for kind in kinds if kind.__module__.startswith("karkhana.")]


@pytest.mark.parametrize("kind", error_kinds(), ids=lambda kind: kind.__name__)
def test_every_error_is_in_the_tree_and_the_manual(kind: type[errors.KarkhanaError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    if kind is not errors.KarkhanaError:
        assert f"`{errors.code_of(kind)}`" in page("cli.md")


@pytest.mark.parametrize("document", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_are_true(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring that says what it does"
    assert doctest.testmod(module).failed == 0


def test_the_package_exports_are_pinned() -> None:
    assert karkhana.__all__ == ["__version__"]
