from pathlib import Path

import pytest

from karkhana.domain.errors import EnvironmentFailure
from karkhana.workspace.index_settings import Index, default_index, discover


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of a user without any configuration."""
    monkeypatch.setattr("karkhana.workspace.index_settings._SYSTEM_FILES", ())
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    return {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_unconfigured_host_uses_the_default_of_its_pip(environ: dict[str, str]) -> None:
    found = discover(environ)
    assert found.indexes == (Index(default_index()),)
    assert found.indexes[0].url.startswith("https://")


def test_files_of_pip_are_read_later_ones_win_and_variables_win_over_all(
    environ: dict[str, str], tmp_path: Path
) -> None:
    put(tmp_path / "xdg/pip/pip.conf", "[global]\nindex-url = https://one.invalid/simple\ncert = /one.pem\n")
    put(tmp_path / ".pip/pip.conf", "[global]\nindex_url = https://two.invalid/simple\n[freeze]\ntimeout = 10\n")
    put(
        tmp_path / ".config/pip/pip.conf",
        "[install]\nextra-index-url =\n  https://three.invalid/simple\n  file:///srv/simple\n",
    )
    found = discover(environ)
    assert [i.url for i in found.indexes] == [
        "https://two.invalid/simple",
        "https://three.invalid/simple",
        "file:///srv/simple",
    ]
    assert found.certificates == "/one.pem"
    assert not found.first_match
    found = discover({**environ, "PIP_INDEX_URL": "https://four.invalid/simple"})
    assert found.indexes[0].url == "https://four.invalid/simple"


def test_find_links_may_be_folders(environ: dict[str, str], tmp_path: Path) -> None:
    found = discover({**environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{tmp_path}/wheels https://links.invalid/x"})
    assert found.indexes == (
        Index(f"file://{tmp_path}/wheels", None, True),
        Index("https://links.invalid/x", None, True),
    )


def test_configuration_of_uv_wins_when_it_names_an_index(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = https://pip.invalid/simple\n")
    put(
        tmp_path / ".config/uv/uv.toml",
        '[[index]]\nurl = "https://extra.invalid/simple"\n'
        '[[index]]\nurl = "https://main.invalid/simple"\ndefault = true\n',
    )
    found = discover(environ)
    assert [i.url for i in found.indexes] == ["https://extra.invalid/simple", "https://main.invalid/simple"]
    assert found.first_match
    found = discover({**environ, "UV_INDEX": "mine=https://named.invalid/s", "UV_DEFAULT_INDEX": "https://d.invalid/s"})
    assert [i.url for i in found.indexes][:1] == ["https://named.invalid/s"]
    assert found.indexes[-1].url == "https://d.invalid/s"


def test_credentials_are_kept_apart_from_addresses(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / ".netrc", "machine two.invalid login you password hidden\n")
    (tmp_path / ".netrc").chmod(0o600)
    variables = {
        "PIP_INDEX_URL": "https://me:p%40ss@one.invalid:8443/simple",
        "PIP_EXTRA_INDEX_URL": "https://two.invalid/s",
    }
    found = discover({**environ, **variables})
    assert found.indexes[0] == Index("https://one.invalid:8443/simple", ("me", "p@ss"))
    assert found.indexes[1] == Index("https://two.invalid/s", ("you", "hidden"))


def test_trusted_hosts(environ: dict[str, str]) -> None:
    assert discover({**environ, "PIP_TRUSTED_HOST": "one.invalid two.invalid:8080"}).trusted_hosts == {
        "one.invalid",
        "two.invalid",
    }


@pytest.mark.parametrize(
    ("name", "text"), [(".config/pip/pip.conf", "index-url = x"), (".config/uv/uv.toml", "index-url = ")]
)
def test_configuration_that_cannot_be_read_is_named(
    environ: dict[str, str], tmp_path: Path, name: str, text: str
) -> None:
    put(tmp_path / name, text)
    with pytest.raises(EnvironmentFailure, match=name.rpartition("/")[2]):
        discover(environ)


def test_other_kinds_of_index_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFailure, match="scheme 'ftp'"):
        discover({**environ, "PIP_INDEX_URL": "ftp://x.invalid/"})
