import pytest

from karkhana.domain.errors import EnvironmentFailure
from karkhana.workspace.environment_plan import Plan, is_native, plan, relevant

BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


def of(files: dict[str, str], paths: tuple[str, ...] = ()) -> Plan:
    return plan({name: text.encode() for name, text in files.items()}, (*files, *paths))


def test_nothing_is_needed_without_dependency_files() -> None:
    assert of({}).empty
    assert of({"pyproject.toml": "[tool.ruff]\nline-length = 100\n"}).empty


def test_a_project_is_installed_editable_with_its_test_extras() -> None:
    found = of(
        {
            "pyproject.toml": BUILD
            + '[project]\nname = "a"\n[project.optional-dependencies]\nTests = ["x"]\ndev = ["y"]\ndocs = []\n'
        }
    )
    assert found.required == (("-e", "."),)
    assert found.optional == (("-e", ".[Tests]"),)


def test_development_extras_are_taken_when_there_are_none_for_tests() -> None:
    found = of(
        {
            "pyproject.toml": BUILD
            + '[project]\nname = "a"\n[project.optional-dependencies]\ndev = ["y"]\n[dependency-groups]\ndev = ["z"]\n'
        }
    )
    assert found.optional == (("-e", ".[dev]"), ("--group", "dev"))


@pytest.mark.parametrize(
    ("files", "optional"),
    [
        ({"pyproject.toml": BUILD + '[dependency-groups]\ntests = ["x"]\n'}, (("--group", "tests"),)),
        ({"setup.py": "", "setup.cfg": "[options.extras_require]\ntest = x\n"}, (("-e", ".[test]"),)),
        ({"setup.py": "", "requirements-test.txt": "x"}, (("-r", "requirements-test.txt"),)),
        ({"setup.py": "", "test-requirements.txt": "x"}, (("-r", "test-requirements.txt"),)),
        ({"setup.py": "", "requirements/testing.txt": "x"}, (("-r", "requirements/testing.txt"),)),
        ({"setup.py": "", "tests/requirements.txt": "x"}, (("-r", "tests/requirements.txt"),)),
        ({"setup.py": "", "requirements_dev.txt": "x"}, (("-r", "requirements_dev.txt"),)),
        (
            {"setup.py": "", "requirements_dev.txt": "x", "requirements_test.txt": "y"},
            (("-r", "requirements_test.txt"),),
        ),
        (
            {"setup.py": "", "tox.ini": "[testenv]\ndeps =\n  pytest\n  mock>=2 # old\n  py38: x\n  {env:A}\n"},
            (("pytest", "mock>=2"),),
        ),
        (
            {"pyproject.toml": "[tool.poetry]\nname = 'a'\n[tool.poetry.group.test.dependencies]\nx = '^1.2'\n"},
            (("x>=1.2,<2",),),
        ),
        (
            {"pyproject.toml": "[tool.poetry]\nname = 'a'\n[tool.poetry.dev-dependencies]\nx = {version = '*'}\n"},
            (("x",),),
        ),
        ({"pyproject.toml": BUILD + "[tool.pdm.dev-dependencies]\ntest = ['x']\n"}, (("x",),)),
        ({"pyproject.toml": BUILD + "[tool.hatch.envs.test]\nextra-dependencies = ['x']\n"}, (("x",),)),
        ({"setup.py": "", "constraints-test.txt": "x", "docs/requirements.txt": "y"}, ()),
    ],
)
def test_where_test_dependencies_are_found(files: dict[str, str], optional: tuple[tuple[str, ...], ...]) -> None:
    assert of(files).optional == optional


def test_a_repository_that_is_no_package_has_its_requirements_installed() -> None:
    assert of({"requirements.txt": "x", "dev-requirements.txt": "y"}).required == (("-r", "requirements.txt"),)
    stated = of({"pyproject.toml": '[project]\nname = "a"\ndependencies = ["x>1"]\n[tool.uv]\npackage = false\n'})
    assert (stated.project, stated.required) == (False, (("x>1",),))


STATIC = (
    BUILD
    + '[project]\nname = "my-shop"\nversion = "1.2"\ndependencies = ["x"]\n'
    + '[project.scripts]\nshop = "my_shop.cli:main"\n'
)


def test_a_project_that_states_everything_need_not_be_built_to_be_known() -> None:
    found = of({"pyproject.toml": STATIC}, ("src/my_shop/__init__.py",))
    assert found.static
    assert (found.name, found.version, found.needs) == ("my-shop", "1.2", ("x",))
    assert found.scripts == (("shop", "my_shop.cli:main"),)


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        ({"pyproject.toml": STATIC}, ("lib/my_shop/__init__.py",)),
        ({"pyproject.toml": STATIC, "setup.py": ""}, ("my_shop.py",)),
        ({"pyproject.toml": STATIC.replace("hatchling.build", "maturin")}, ("my_shop.py",)),
        ({"pyproject.toml": STATIC.replace('dependencies = ["x"]', 'dynamic = ["dependencies"]')}, ("my_shop.py",)),
        ({"pyproject.toml": STATIC.replace('"x"', '"not a requirement"')}, ("my_shop.py",)),
        ({"pyproject.toml": STATIC.replace('"my-shop"', '"../../x"')}, ("_/_/x.py",)),
        ({"pyproject.toml": STATIC.replace('"1.2"', '"/../1.2"')}, ("my_shop.py",)),
    ],
)
def test_other_projects_have_to_be_built(files: dict[str, str], paths: tuple[str, ...]) -> None:
    assert not of(files, paths).static


def test_needs_of_tests_count_as_needs() -> None:
    text = (
        STATIC
        + '[project.optional-dependencies]\ntest = ["pytest", "y"]\n'
        + '[dependency-groups]\ntest = ["z", {include-group = "w"}]\n'
    )
    found = of({"pyproject.toml": text}, ("my_shop.py",))
    assert not found.static
    text = text.replace(', {include-group = "w"}', "")
    assert of({"pyproject.toml": text}, ("my_shop.py",)).needs == ("x", "pytest", "y", "z")


def test_which_files_matter_and_what_they_include() -> None:
    paths = (
        "setup.py",
        "requirements.txt",
        "poetry.lock",
        "more/base.txt",
        "a.py",
        "docs/x.txt",
        "requirements/base.txt",
    )
    assert relevant(paths) == ("poetry.lock", "requirements.txt", "requirements/base.txt", "setup.py")
    read = {"requirements.txt": b"-r more/base.txt\n--constraint=docs/x.txt\n-r ../outside.txt\n-r /etc/passwd\n"}
    assert set(relevant(paths, read)) == {
        "poetry.lock",
        "requirements.txt",
        "requirements/base.txt",
        "setup.py",
        "more/base.txt",
        "docs/x.txt",
    }


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[project"},
        {"pyproject.toml": "a=" + "[" * 10_000},
        {"setup.cfg": "name = x\n", "setup.py": ""},
    ],
)
def test_files_that_cannot_be_read_are_named(files: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFailure, match="cannot be read"):
        of(files)


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 3\ndependencies = 'x'\noptional-dependencies = {test = 'x'}\n",
        "[project]\ndynamic = ['dependencies']\n[tool.poetry]\ndependencies = 3\n",
        "[project]\nname = 'a'\ndependencies = [3, {}]\n[dependency-groups]\ntest = [{}]\n",
    ],
)
def test_odd_values_do_not_break_it(text: str) -> None:
    assert of({"pyproject.toml": text}).project


@pytest.mark.parametrize(
    "text",
    [
        "tool = 1\n",
        "project = 1\n",
        "build-system = 1\n",
        "dependency-groups = 1\n",
        "[project]\nname = 'a'\noptional-dependencies = 1\n",
        "[project]\nname = 'a'\ndynamic = 1\n",
    ],
)
def test_values_of_the_wrong_kind_are_the_repositorys_fault(text: str) -> None:
    with pytest.raises(EnvironmentFailure, match="wrong kind"):
        of({"pyproject.toml": text}, ("a.py",))


def test_native_sources() -> None:
    assert [name for name in ("a.c", "b.pyx", "c.py", "meson.build", "d.rs", "e.txt") if is_native(name)] == [
        "a.c",
        "b.pyx",
        "meson.build",
        "d.rs",
    ]


def test_what_is_installed_when_a_project_cannot_be_built() -> None:
    text = BUILD + '[project]\nname = "a"\ndependencies = ["x"]\n[project.optional-dependencies]\ntest = ["y", "a["]\n'
    fallback = of({"pyproject.toml": text, "requirements-test.txt": "z"}).fallback
    assert fallback is not None
    assert (fallback.required, fallback.optional) == ((("x",),), (("y",), ("-r", "requirements-test.txt")))
    poetry = of(
        {"pyproject.toml": "[tool.poetry]\nname = 'a'\n[tool.poetry.dependencies]\npython = '^3.8'\nx = '~1'\n"}
    ).fallback
    assert poetry is not None
    assert poetry.required == (("x>=1,<2",),)
    assert of({"setup.py": "", "pyproject.toml": text}).fallback is None
    assert of({"pyproject.toml": BUILD}).fallback is None
