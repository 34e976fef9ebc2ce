"""The environments are built in the real sandbox, from package indexes that these tests make on disk."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packages_support import IN_TREE, backend, make_index, make_tree, sdist, wheel

from components import need
from karkhana.domain.errors import EnvironmentFailure, InvalidSetting
from karkhana.domain.events import AnyEvent, EnvironmentPrepared
from karkhana.domain.settings import EnvironmentSettings
from karkhana.workspace import environment_build
from karkhana.workspace.environment import Environment, Environments
from karkhana.workspace.environment_python import INSTRUMENTS, describe
from karkhana.workspace.ignored import IgnoreRules
from karkhana.workspace.plain import PlainBox
from karkhana.workspace.sandbox import Sandbox, SandboxSpec

CANARY = "canary-51c8"
NOWHERE = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "HOME": "/nonexistent"}


class Counted:
    """Opens sandboxes and counts them."""

    def __init__(self) -> None:
        self.opened = 0

    def __call__(self, spec: SandboxSpec) -> Sandbox:
        self.opened += 1
        return Sandbox(spec)


class Events:
    """A trail in memory."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def record(self, event: AnyEvent) -> None:
        self.events.append(event)

    def keep(self, content: bytes) -> str:
        return ""


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """Variables that name an index with three packages."""
    place = make_index(
        tmp_path / "index",
        wheel("alpha"),
        wheel("beta", "2.0"),
        sdist("gamma", extra='METADATA = "Requires-Dist: alpha\\n"\ndef files(): return {"gamma.py": "X = 1\\n"}\n'),
    )
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": place.as_uri(), "HOME": "/nonexistent"}


def environments(home: Path, environ: dict[str, str], **options: Any) -> Environments:
    return Environments(home, environ=environ, **options)


def ask(home: Path, found: Environment, checkout: Path, code: str) -> str:
    """What a program prints in the environment, in a sandbox without network."""
    spec = SandboxSpec(home=home, checkout=checkout, binds=found.binds, path=(found.bin_dir, "/usr/bin", "/bin"))
    with Sandbox(spec) as box:
        done = box.run(("python", "-c", code), timeout_s=60)
    assert done.exit_code == 0, done.stderr
    return done.stdout.decode()


VERSIONS = "import importlib.metadata as m; print(sorted({d.metadata['Name'] for d in m.distributions()}))"


def test_a_repository_that_needs_nothing_gets_an_empty_environment_without_a_sandbox(
    home: Path, tmp_path: Path
) -> None:
    box, trail = Counted(), Events()
    checkout = make_tree(tmp_path / "tree", {"a.py": "x = 1\n"})
    made = environments(home, NOWHERE, open_box=box)
    first = made.prepare(checkout, record=trail)
    second = made.prepare(checkout, record=trail)
    assert (first.cached, second.cached, first.key == second.key) == (False, True, True)
    assert box.opened == 0
    prepared = [event for event in trail.events if isinstance(event, EnvironmentPrepared)]
    assert [(e.key, e.cached, e.python) for e in prepared] == [
        (first.key, False, describe(None).version),
        (first.key, True, describe(None).version),
    ]
    answer = ask(home, first, checkout, "import sys, pytest, coverage; print(sys.prefix, pytest.__file__)")
    assert answer.split() == ["/opt/karkhana/environment", f"{INSTRUMENTS}/pytest/__init__.py"]


def test_requirements_are_installed_from_the_configured_index(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    checkout = make_tree(
        tmp_path / "tree", {"requirements.txt": "gamma\n-r more/deep.txt\n", "more/deep.txt": "beta==2.0\n"}
    )
    found = environments(home, index).prepare(checkout)
    assert found.notes == ()
    names = ask(home, found, checkout, VERSIONS)
    assert all(name in names for name in ("'alpha'", "'beta'", "'gamma'"))
    assert ask(home, found, checkout, "import gamma, alpha; print(gamma.X, alpha.VERSION)") == "1 1.0\n"


def test_what_is_installed_is_compiled_and_read_only(home: Path, tmp_path: Path, index: dict[str, str]) -> None:
    checkout = make_tree(tmp_path / "tree", {"requirements.txt": "alpha\n"})
    found = environments(home, index).prepare(checkout)
    code = "import alpha, pathlib as p; print(p.Path(alpha.__cached__).exists()); p.Path(alpha.__file__).write_text('')"
    spec = SandboxSpec(home=home, checkout=checkout, binds=found.binds, path=(found.bin_dir, "/usr/bin", "/bin"))
    with Sandbox(spec) as box:
        done = box.run(("python", "-c", code))
    assert done.stdout == b"True\n"
    assert b"Read-only file system" in done.stderr


def test_a_project_is_installed_editable_with_what_its_build_generates(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    extra = (
        'import os\nMETADATA = "Requires-Dist: alpha\\nProvides-Extra: test\\n"\n'
        'def files():\n    open("shop_version.py", "w").write("V = 7\\n")\n'
        '    open("left_out.py", "w").write("")\n    os.makedirs("shop.egg-info", exist_ok=True)\n'
        '    open("shop.egg-info/PKG-INFO", "w").write("")\n    return {}\n'
    )
    files = {
        "pyproject.toml": IN_TREE,
        "backend.py": backend("shop", extra=extra),
        "shop.py": "import shop_version\n",
        ".gitignore": "shop_version.py\n*.egg-info\n",
    }
    checkout = make_tree(tmp_path / "tree", files)
    made = environments(home, index)
    for _ in range(2):
        found = made.prepare(checkout)
        assert [note for note in found.notes if "left_out.py" in note]
        spec = SandboxSpec(home=home, checkout=checkout, binds=found.binds, path=(found.bin_dir, "/usr/bin", "/bin"))
        with Sandbox(spec) as box:
            found.populate(box.tree, IgnoreRules(home, checkout))
            done = box.run(("python", "-c", "import shop, alpha; print(shop.shop_version.V, shop.__file__)"))
            assert box.tree.read("left_out.py") is None
            assert box.tree.read("shop.egg-info/PKG-INFO") is None
        assert done.stdout == b"7 /workspace/shop.py\n"
    assert found.cached
    assert sorted(path.name for path in checkout.iterdir()) == sorted(files)


def test_a_static_project_needs_no_build(home: Path, tmp_path: Path) -> None:
    text = (
        '[project]\nname = "my-shop"\nversion = "1.2"\ndependencies = ["odd; python_version < \'3\'"]\n'
        '[project.scripts]\nshop = "my_shop:main"\n[project.optional-dependencies]\ntest = ["pytest>=7"]\n'
    )
    tree = {"pyproject.toml": text, "my_shop.py": "def main(): print('open')\n"}
    checkout, box = make_tree(tmp_path / "tree", tree), Counted()
    found = environments(home, NOWHERE, open_box=box).prepare(checkout)
    assert box.opened == 0
    code = "import importlib.metadata as m, os, subprocess; print(m.version('my-shop'), flush=True);"
    code += "subprocess.run(['shop'], check=True, env={**os.environ, 'PYTHONPATH': '/workspace'})"
    assert ask(home, found, checkout, code) == "1.2\nopen\n"


def test_test_dependencies_that_cannot_be_installed_are_said_and_left_out(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    files = {"requirements.txt": "alpha", "requirements-test.txt": "no-such-thing", "test-requirements.txt": "beta"}
    checkout = make_tree(tmp_path / "tree", files)
    found = environments(home, index).prepare(checkout)
    assert [note.split(" could not")[0] for note in found.notes] == ["-r requirements-test.txt"]
    assert "'beta'" in ask(home, found, checkout, VERSIONS)


def test_a_project_that_cannot_be_built_still_gets_what_it_states(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    text = IN_TREE + '[project]\nname = "shop"\ndependencies = ["alpha"]\ndynamic = ["version"]\n'
    text += '[project.optional-dependencies]\ntest = ["beta"]\n'
    files = {
        "pyproject.toml": text.replace('"backend"', '"flit_core.backend"'),
        "shop.py": "",
        "flit_core/backend.py": "1/0\n",
    }
    checkout = make_tree(tmp_path / "tree", files)
    found = environments(home, index).prepare(checkout)
    assert [note for note in found.notes if note.startswith("the project itself could not be installed")]
    names = ask(home, found, checkout, VERSIONS)
    assert "'alpha'" in names
    assert "'beta'" in names


def test_installing_can_be_switched_off(home: Path, tmp_path: Path) -> None:
    checkout = make_tree(tmp_path / "tree", {"requirements.txt": "alpha"})
    found = environments(home, NOWHERE, settings=EnvironmentSettings(install=False)).prepare(checkout)
    assert found.notes == ("dependencies are not installed, because environment.install is off",)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"requirements.txt": "no-such-thing"}, ("no-such-thing was not found", "dependency files")),
        ({"pyproject.toml": "[project"}, ("pyproject.toml of the repository cannot be read", "mend")),
        (
            {"pyproject.toml": IN_TREE, "backend.py": "raise RuntimeError('no luck')"},
            ("RuntimeError: no luck", "environment.install = false"),
        ),
        (
            {
                "pyproject.toml": IN_TREE + '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=9"\n',
                "backend.py": backend("a"),
            },
            ("Python", "environment.python"),
        ),
    ],
)
def test_a_failure_says_what_and_the_next_step(
    home: Path, tmp_path: Path, index: dict[str, str], files: dict[str, str], told: tuple[str, str]
) -> None:
    made = environments(home, index)
    checkout = make_tree(tmp_path / "tree", files)
    for _ in range(2):  # a failure is not remembered: the index may have been down
        with pytest.raises(EnvironmentFailure) as caught:
            made.prepare(checkout)
        assert told[0] in caught.value.message
        assert told[1] in caught.value.next
    assert not list((home / "environments").glob("making-*"))


def test_an_unreachable_index_is_named(home: Path, tmp_path: Path) -> None:
    checkout = make_tree(tmp_path / "tree", {"requirements.txt": "alpha-unreachable"})
    variables = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "HOME": "/nonexistent"}
    with pytest.raises(EnvironmentFailure) as caught:
        environments(home, variables).prepare(checkout)
    assert "could not be reached: 127.0.0.1" in caught.value.next


def test_a_build_has_a_time_limit(home: Path, tmp_path: Path, index: dict[str, str]) -> None:
    files = {"pyproject.toml": IN_TREE, "backend.py": backend("slow", extra="import time; time.sleep(99)\n")}
    made = environments(home, index, settings=EnvironmentSettings(timeout_s=3))
    with pytest.raises(EnvironmentFailure, match="longer than 3 s") as caught:
        made.prepare(make_tree(tmp_path / "tree", files))
    assert "environment.timeout_s" in caught.value.next


def test_a_build_that_would_fill_the_disk_is_ended(
    home: Path, tmp_path: Path, index: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_build, "_FREE_FLOOR", 1 << 60)
    files = {"pyproject.toml": IN_TREE, "backend.py": backend("slow", extra="import time; time.sleep(99)\n")}
    with pytest.raises(EnvironmentFailure, match="filled the disk"):
        environments(home, index).prepare(make_tree(tmp_path / "tree", files))


def test_several_at_once_build_it_once(home: Path, tmp_path: Path, index: dict[str, str]) -> None:
    checkout, box = make_tree(tmp_path / "tree", {"requirements.txt": "alpha\n# at once\n"}), Counted()
    found: list[Environment] = []
    made = [environments(home, index, open_box=box) for _ in range(4)]
    threads = [threading.Thread(target=lambda each=each: found.append(each.prepare(checkout))) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len({each.key for each in found}), box.opened) == (4, 1, 1)


def test_those_who_waited_for_a_failing_build_get_its_failure(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    extra = "import time; time.sleep(2); raise RuntimeError('no luck')\n"
    checkout = make_tree(tmp_path / "tree", {"pyproject.toml": IN_TREE, "backend.py": backend("slow", extra=extra)})
    box, failures = Counted(), []

    def attempt() -> None:
        with pytest.raises(EnvironmentFailure) as caught:
            environments(home, index, open_box=box).prepare(checkout)
        failures.append(caught.value.message)

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(failures), len(set(failures)), box.opened) == (3, 1, 1)


def test_the_key_follows_dependencies_interpreter_and_native_sources(home: Path, tmp_path: Path) -> None:
    def key(files: dict[str, str]) -> str:
        made = environments(home, NOWHERE, settings=EnvironmentSettings(install=False))
        name = f"tree-{len(list(tmp_path.iterdir()))}"
        return made.prepare(make_tree(tmp_path / name, files)).key

    plain = key({"requirements.txt": "alpha", "a.py": "1"})
    assert key({"requirements.txt": "alpha", "a.py": "2", "b.c": "1"}) == plain
    assert key({"requirements.txt": "beta", "a.py": "1"}) != plain
    native = key({"setup.py": "", "deep/er/x.c": "1"})
    assert key({"setup.py": "", "deep/er/x.c": "2"}) != native
    # setup.py may import any module of the tree: what it leaves in the environment depends on all of them
    assert key({"setup.py": "import helper", "helper.py": "1"}) != key({"setup.py": "import helper", "helper.py": "2"})
    local = {"requirements.txt": "-e ./sub", "sub/helper.py": "1"}
    assert key(local) != key({**local, "sub/helper.py": "2"})


def test_links_in_a_checkout_are_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("alpha")
    checkout = make_tree(tmp_path / "tree", {"a.py": ""})
    (checkout / "requirements.txt").symlink_to(tmp_path / "secret")
    (checkout / "requirements").symlink_to(tmp_path)
    assert environments(home, NOWHERE).prepare(checkout).notes == ()


def test_another_interpreter_can_be_chosen(home: Path, tmp_path: Path) -> None:
    other = "/usr/bin/python3"
    need(Path(other).exists(), f"a second interpreter, {other}")
    checkout = make_tree(tmp_path / "tree", {"a.py": ""})
    found = environments(home, NOWHERE, settings=EnvironmentSettings(python=other)).prepare(checkout)
    answer = ask(home, found, checkout, "import sys; print(sys.base_prefix, sys.version.split()[0])")
    assert answer.split() == ["/usr", found.version]


@pytest.mark.parametrize("python", ["/nonexistent/python", "/bin/true"])
def test_an_interpreter_that_is_none_is_refused(home: Path, tmp_path: Path, python: str) -> None:
    with pytest.raises(InvalidSetting, match=r"environment\.python"):
        environments(home, NOWHERE, settings=EnvironmentSettings(python=python)).prepare(tmp_path)


ATTACK = """
import json, os, pathlib, socket, urllib.request
TARGETS = {targets!r}
METADATA = ""

def attempt(function):
    try:
        return str(function())
    except BaseException as error:
        return "refused: " + type(error).__name__

def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(3)
        client.connect(address)
        return "connected"

def proxied(path):
    with socket.create_connection(("127.0.0.1", 8719), 5) as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        return client.makefile("rb").read()[:4000].decode("latin-1")

def files():
    found = {{
        "secret": attempt(lambda: pathlib.Path(TARGETS["secret"]).read_text()),
        "home": attempt(lambda: os.listdir(TARGETS["home"])),
        "shadow": attempt(lambda: pathlib.Path("/etc/shadow").read_text()),
        "network": attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", TARGETS["port"]))),
        "outside": attempt(lambda: connect(socket.AF_INET, ("192.0.2.1", 80))),
        "abstract": attempt(lambda: connect(socket.AF_UNIX, chr(0) + TARGETS["abstract"])),
        "proxied address": attempt(lambda: proxied(("http://127.0.0.1:%d/" % TARGETS["port"]).encode())),
        "proxied file": attempt(lambda: proxied(("/file/" + TARGETS["secret"]).encode())),
        "proxied connect": attempt(lambda: proxied(b"CONNECT")),
        "environment": " ".join(os.environ.values()),
        "instruments": attempt(lambda: pathlib.Path("/opt/karkhana/instruments/pytest/__init__.py").write_text("x")),
        "uv": attempt(lambda: pathlib.Path("/opt/karkhana/uv").write_text("x")),
        "programs": attempt(lambda: pathlib.Path("/opt/karkhana/inside/karkhana_report.py").write_text("x")),
        "checkout": attempt(lambda: pathlib.Path(TARGETS["checkout"]).write_text("x")),
    }}
    for place in ("/opt/karkhana/environment/escape", "/opt/karkhana/environment/lib/link"):
        attempt(lambda: os.symlink(TARGETS["home"], place))
    return {{"evil_report.py": "REPORT = " + repr(json.dumps(found))}}
"""


@pytest.fixture
def host_listener() -> Iterator[tuple[int, str, list[str]]]:
    """A TCP port and an abstract socket of the host, and what reached them."""
    name, reached = f"karkhana-test-{os.getpid()}", []
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0" + name)
        abstract.listen()
        for listener, kind in ((tcp, "tcp"), (abstract, "abstract")):

            def accept(listener: socket.socket = listener, kind: str = kind) -> None:
                try:
                    while True:
                        listener.accept()[0].close()
                        reached.append(kind)
                except OSError:
                    return

            threading.Thread(target=accept, daemon=True).start()
        yield tcp.getsockname()[1], name, reached
        for listener in (tcp, abstract):
            listener.shutdown(socket.SHUT_RDWR)


def test_a_hostile_build_sees_no_secret_and_reaches_nobody(
    home: Path, tmp_path: Path, host_listener: tuple[int, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, abstract, reached = host_listener
    (tmp_path / "secret").write_text(CANARY)
    (home / "canary").write_text(CANARY)
    monkeypatch.setenv("KARKHANA_TEST_SECRET", CANARY)
    checkout = make_tree(tmp_path / "tree", {"requirements.txt": "evil\n"})
    targets = {
        "secret": str(tmp_path / "secret"),
        "home": str(home),
        "port": port,
        "abstract": abstract,
        "checkout": str(checkout / "requirements.txt"),
    }
    place = make_index(tmp_path / "index", sdist("evil", extra=ATTACK.format(targets=targets)))
    variables = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": place.as_uri(), "HOME": "/nonexistent"}

    # the same attempts succeed on the host, so the test would notice if nothing held them back
    socket.create_connection(("127.0.0.1", port), 3).close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + abstract)
    while len(reached) < 2:
        time.sleep(0.01)
    reached.clear()

    found = environments(home, variables).prepare(checkout)
    report = json.loads(ask(home, found, checkout, "import evil_report; print(evil_report.REPORT)"))
    assert CANARY not in json.dumps(report)
    assert str(tmp_path) not in report["environment"]
    refused = {name for name, answer in report.items() if answer.startswith("refused: ")}
    assert refused >= {
        "secret",
        "home",
        "shadow",
        "network",
        "outside",
        "abstract",
        "instruments",
        "uv",
        "programs",
        "checkout",
    }
    assert all(
        " 404 " in report[name] or " 400 " in report[name]
        for name in ("proxied address", "proxied file", "proxied connect")
    )
    assert reached == []
    assert (checkout / "requirements.txt").read_text() == "evil\n"
    assert sorted(path.name for path in home.iterdir() if path.name == "escape") == []


def test_without_a_sandbox_an_environment_works_where_it_lies(
    home: Path, tmp_path: Path, index: dict[str, str]
) -> None:
    checkout = make_tree(
        tmp_path / "tree", {"requirements.txt": "gamma\n", "test_gamma.py": "import gamma\ndef test(): pass"}
    )
    found = environments(home, index, kind="none").prepare(checkout)
    spec = SandboxSpec(home=home, checkout=checkout, binds=found.binds, path=(found.bin_dir, "/usr/bin", "/bin"))
    for command in (("python", "-m", "pytest", "-q"), ("pytest", "-q")):
        with PlainBox(spec) as box:
            done = box.run(command)
        assert b"1 passed" in done.stdout, done


def test_half_made_environments_of_dead_processes_are_removed(home: Path, tmp_path: Path) -> None:
    folder = home / "environments"
    folder.mkdir(exist_ok=True)
    (folder / "making-999999-1-abcd").mkdir(exist_ok=True)
    alive = folder / f"making-{os.getpid()}-{Path('/proc/self/stat').read_text().rpartition(')')[2].split()[19]}-abcd"
    alive.mkdir(exist_ok=True)
    environments(home, NOWHERE, settings=EnvironmentSettings(install=False)).prepare(
        make_tree(tmp_path / "tree", {"requirements.txt": f"x{os.getpid()}\n"})
    )
    assert not (folder / "making-999999-1-abcd").exists()
    assert alive.exists()
    alive.rmdir()


def test_the_same_interpreter_is_described_with_and_without_a_setting() -> None:
    assert describe(sys.executable).version == describe(None).version
    assert describe(sys.executable).prefixes == describe(None).prefixes
