"""Decides from a repository's dependency files what has to be installed. Pure: text in, requirements out.

The project itself, editable, when it can be built; the extras, dependency groups and requirement files that are
named for tests; for development when there are none for tests. Knows nothing of how they are installed.

>>> plan({"requirements.txt": b"attrs\\n"}).required
(('-r', 'requirements.txt'),)
>>> plan({}).empty
True
"""

import configparser
import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from karkhana.domain.errors import EnvironmentFailure

Arguments = tuple[str, ...]
"""Of the installer, e.g. ``("-r", "requirements.txt")``."""

_PATTERN = re.compile(
    r"(pyproject\.toml|setup\.py|setup\.cfg|tox\.ini|[^/]*\.lock|pylock[^/]*\.toml|Pipfile"
    r"|([^/]*/)?[^/]*(requirements|constraints|deps)[^/]*\.(txt|in|pip)|requirements/[^/]+\.(txt|in|pip)"
    r"|(test|tests)/requirements\.txt)"
)
_INCLUDED = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)", re.MULTILINE)
_NATIVE = re.compile(
    r"\.(c|cc|cpp|cxx|h|hh|hpp|pyx|pxd|pxi|rs|f|f90|s|cu|in)$|^(meson\.build|CMakeLists\.txt|Cargo\.toml)$"
)
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[\w.!+-]*", re.ASCII)
_TEST, _DEVELOPMENT = ("test", "tests", "testing"), ("dev", "develop", "development")
_PURE = ("hatchling", "flit_core", "setuptools", "poetry.core", "pdm.backend", "uv_build")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to install, in order."""

    project: bool = False
    """The repository is a package that can be installed."""
    required: tuple[Arguments, ...] = ()
    """Without these the preparation has failed."""
    optional: tuple[Arguments, ...] = ()
    """For the tests; what cannot be installed is said and left out."""
    discover_extras: bool = False
    """Extras are only known once the project is built."""
    compiled: bool = False
    """Building it may compile extensions."""
    name: str = ""
    """Distribution name, when it is stated."""
    version: str = ""
    scripts: tuple[tuple[str, str], ...] = ()
    """Console scripts: name and ``module:function``."""
    static: bool = False
    """Everything about the project is stated, so it need not be built to be known."""
    needs: tuple[str, ...] = ()
    """Requirements of a static project and of its tests."""
    notes: tuple[str, ...] = ()
    fallback: "Plan | None" = None
    """What to install when the project itself cannot be built, where its requirements are known without that."""

    @property
    def empty(self) -> bool:
        return not self.required and not self.optional


def relevant(paths: Iterable[str], read: Mapping[str, bytes] | None = None) -> tuple[str, ...]:
    """Which files of a repository say what it needs; includes of ``read`` files are followed."""
    known = set(paths)
    found = {path for path in known if _PATTERN.fullmatch(path)}
    for path, content in (read or {}).items():
        for included in _INCLUDED.findall(content.decode("utf-8", "replace")):
            found |= {posixpath.normpath(posixpath.join(posixpath.dirname(path), included))} & known
    return tuple(sorted(found))


def plan(files: Mapping[str, bytes], paths: Iterable[str] = ()) -> Plan:
    """What has to be installed; ``paths``: all files of the repository. Raises ``EnvironmentFailure``."""
    try:
        return _plan(files, paths)
    except (AttributeError, TypeError) as error:
        # the files may hold a number where their standards ask for a table or a list, at any of many places
        raise EnvironmentFailure(
            f"the repository's dependency files hold a value of the wrong kind: {error}", "mend pyproject.toml"
        ) from error


def _plan(files: Mapping[str, bytes], paths: Iterable[str]) -> Plan:
    pyproject = _toml(files)
    setup = _ini(files, "setup.cfg")
    if not _is_project(files, pyproject, setup):
        return _loose(files, pyproject)
    tests, notes = _test_arguments(files, pyproject, setup)
    base = Plan(
        project=True,
        required=(("-e", "."),),
        optional=tests,
        discover_extras="setup.py" in files or "setup.cfg" in files,
        compiled="setup.py" in files or not _backend(pyproject).startswith(_PURE),
        notes=notes,
        fallback=_fallback(tests, files, pyproject),
    )
    return _with_static(base, files, pyproject, frozenset(paths))


def _fallback(tests: tuple[Arguments, ...], files: Mapping[str, bytes], pyproject: dict[str, Any]) -> Plan | None:
    project, poetry = pyproject.get("project"), pyproject.get("tool", {}).get("poetry")
    known = project is not None and "dependencies" not in project.get("dynamic", ())
    if "setup.py" in files or not _backend(pyproject).startswith(_PURE) or not (known or poetry):
        return None
    stated = _strings((project or {}).get("dependencies")) + _poetry((poetry or {}).get("dependencies"))
    optional = (
        tuple(filter(_valid, _requirements_of(arguments, pyproject, files))) if arguments[0] == "-e" else arguments
        for arguments in tests
    )
    return Plan(required=(stated,) if stated else (), optional=tuple(filter(None, optional)))


def _is_project(files: Mapping[str, bytes], pyproject: dict[str, Any], setup: configparser.RawConfigParser) -> bool:
    tool = pyproject.get("tool", {})
    if tool.get("uv", {}).get("package") is False or tool.get("poetry", {}).get("package-mode") is False:
        return False
    declared = "project" in pyproject or "build-system" in pyproject or "poetry" in tool
    return declared or "setup.py" in files or setup.has_option("metadata", "name")


def _loose(files: Mapping[str, bytes], pyproject: dict[str, Any]) -> Plan:
    """No package: requirement files and stated dependencies."""
    listed = [name for name in ("requirements.txt", "requirements.in") if name in files]
    required: list[Arguments] = [("-r", name) for name in listed[:1]]
    stated = _strings(pyproject.get("project", {}).get("dependencies"))
    poetry = _poetry(pyproject.get("tool", {}).get("poetry", {}).get("dependencies"))
    if stated or poetry:
        required.append((*stated, *poetry))
    optional, notes = _test_arguments(files, pyproject, configparser.RawConfigParser())
    return Plan(required=tuple(required), optional=optional, notes=notes)


def _test_arguments(
    files: Mapping[str, bytes], pyproject: dict[str, Any], setup: configparser.RawConfigParser
) -> tuple[tuple[Arguments, ...], tuple[str, ...]]:
    """Arguments for what tests need, from the most to the least explicit source."""
    for names in (_TEST, _DEVELOPMENT):
        found = tuple(_named(names, files, pyproject, setup))
        if found:
            return found, ()
    tox = tuple(_tox(_ini(files, "tox.ini"), files))
    return ((tox,), ("test dependencies are taken from tox.ini",)) if tox else ((), ())


def _named(
    names: tuple[str, ...], files: Mapping[str, bytes], pyproject: dict[str, Any], setup: configparser.RawConfigParser
) -> Iterator[Arguments]:
    tool = pyproject.get("tool", {})
    stated = pyproject.get("project", {}).get("optional-dependencies", {})
    poetry = tool.get("poetry", {})
    extras = {*stated, *poetry.get("extras", {})}
    if setup.has_section("options.extras_require"):
        extras |= set(setup.options("options.extras_require"))
    if chosen := [extra for extra in sorted(extras) if extra.lower() in names]:
        yield ("-e", f".[{','.join(chosen)}]")
    for group in sorted(pyproject.get("dependency-groups", {})):
        if group.lower() in names:
            yield ("--group", group)
    for group, table in sorted(poetry.get("group", {}).items()):
        if group.lower() in names and (found := _poetry(table.get("dependencies"))):
            yield found
    if names is _DEVELOPMENT and (found := _poetry(poetry.get("dev-dependencies"))):
        yield found
    for group, listed in sorted(tool.get("pdm", {}).get("dev-dependencies", {}).items()):
        if group.lower() in names and (found := _strings(listed)):
            yield found
    for environment in ("hatch-test", "test") if names is _TEST else ("default", "dev"):
        table = tool.get("hatch", {}).get("envs", {}).get(environment, {})
        if found := _strings(table.get("dependencies")) + _strings(table.get("extra-dependencies")):
            yield found
    for path in sorted(files):
        if _requirement_file(path, names):
            yield ("-r", path)


def _requirement_file(path: str, names: tuple[str, ...]) -> bool:
    folder, _, name = path.rpartition("/")
    words = re.split(r"[^a-z]+", name.lower().rpartition(".")[0])
    if not name.endswith((".txt", ".in", ".pip")) or "constraints" in words or folder.count("/"):
        return False
    if path.endswith(".in") and path[:-3] + ".txt" in names:
        return False
    about_requirements = any(word.startswith("req") for word in words) or folder == "requirements"
    return (about_requirements and any(name in words for name in names)) or (
        names is _TEST and folder in _TEST and name == "requirements.txt"
    )


def _tox(tox: configparser.RawConfigParser, files: Mapping[str, bytes]) -> Iterator[str]:
    """Plain requirements of ``[testenv] deps``."""
    text = tox.get("testenv", "deps", fallback="")
    text = re.sub(r"\s+#.*", "", text.replace("{toxinidir}/", ""))
    for line in map(str.strip, text.splitlines()):
        if included := re.fullmatch(r"-r\s*(\S+)", line):
            if included[1] in files:
                yield from ("-r", included[1])
        elif line and "{" not in line and not re.match(r"[\w\-!,.*]+:\s", line) and _valid(line):
            yield line


def _with_static(base: Plan, files: Mapping[str, bytes], pyproject: dict[str, Any], paths: frozenset[str]) -> Plan:
    """Add what the project states, when all of it is stated and it is found without being built."""
    project = pyproject.get("project", {})
    name = str(project.get("name", ""))
    module = re.sub(r"[-.]+", "_", name)
    beside = {f"{place}{module}{end}" for place in ("", "src/") for end in (".py", "/__init__.py")}
    version = str(project.get("version", ""))
    plain = (
        # both become part of a folder's name
        _NAME.fullmatch(name)
        and _VERSION.fullmatch(version)
        and not set(project.get("dynamic", ())) - {"version", "description", "readme"}
        and "setup.py" not in files
        and "setup.cfg" not in files
        and _backend(pyproject).startswith(_PURE)
        and beside & paths
    )
    if not plain:
        return base
    needs = [*_strings(project.get("dependencies"))]
    for arguments in base.optional:
        needs += _requirements_of(arguments, pyproject, files)
    scripts = project.get("scripts", {})
    return msgspec.structs.replace(
        base,
        static=all(_valid(need) for need in needs),
        name=name,
        version=version,
        scripts=tuple((str(key), str(value)) for key, value in scripts.items()),
        needs=tuple(needs),
    )


def _backend(pyproject: dict[str, Any]) -> str:
    return str(pyproject.get("build-system", {}).get("build-backend", "setuptools.build_meta"))


def is_native(name: str) -> bool:
    """Whether a file of this name is compiled, or says how."""
    return bool(_NATIVE.search(name))


def _requirements_of(arguments: Arguments, pyproject: dict[str, Any], files: Mapping[str, bytes]) -> list[str]:
    """The requirements that installer arguments stand for; one that is not valid when they cannot be told."""
    flag, value = (arguments[0], arguments[-1]) if arguments[0].startswith("-") else ("", "")
    if flag == "-e":
        extras = pyproject.get("project", {}).get("optional-dependencies", {})
        names = value[2:-1].split(",")
        return [need for extra in names for need in (_strings(extras.get(extra)) or ("?",))]
    if flag == "--group":
        group = pyproject.get("dependency-groups", {}).get(value, ["?"])
        return [need if isinstance(need, str) else "?" for need in group]
    if flag == "-r":
        lines = files.get(value, b"?").decode("utf-8", "replace").splitlines()
        return [text for line in lines if (text := re.sub(r"(^|\s+)#.*", "", line).strip())]
    return list(arguments)


def _valid(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _poetry(table: object) -> tuple[str, ...]:
    """Poetry's own notation as requirements; what has none (git, paths) is left to the project's build."""
    found = []
    for name, value in (table if isinstance(table, dict) else {}).items():
        text = value if isinstance(value, str) else value.get("version") if isinstance(value, dict) else None
        if name.lower() != "python" and isinstance(text, str):
            found.append(name + ",".join(filter(None, map(_poetry_bound, text.split(",")))))
    return tuple(text for text in found if _valid(text))


def _poetry_bound(text: str) -> str:
    """
    >>> _poetry_bound("^1.2.3"), _poetry_bound("^0.4"), _poetry_bound("~2.1"), _poetry_bound("1.0"), _poetry_bound("*")
    ('>=1.2.3,<2', '>=0.4,<0.5', '>=2.1,<2.2', '==1.0', '')
    """
    text = text.strip()
    if text in ("", "*"):
        return ""
    if text[0] not in "^~":
        return text if text[0] in "<>=!" else f"=={text}"
    version = text.lstrip("^~= ")
    numbers = [int(part) for part in re.findall(r"\d+", version)[:3]]
    if text[0] == "^":
        place = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
    else:
        place = min(1, len(numbers) - 1)
    upper = [*numbers[:place], numbers[place] + 1]
    return f">={version},<{'.'.join(map(str, upper))}"


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _toml(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        return tomllib.loads(files.get("pyproject.toml", b"").decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvironmentFailure(f"pyproject.toml of the repository cannot be read: {error}", "mend it") from error


def _ini(files: Mapping[str, bytes], name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(files.get(name, b"").decode("utf-8", "replace"))
    except configparser.Error as error:
        raise EnvironmentFailure(f"{name} of the repository cannot be read: {error}", "mend it") from error
    return parser
