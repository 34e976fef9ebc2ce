"""Which package indexes this host installs from: read from uv's or pip's configuration, never written in our code.

uv's configuration wins when it names an index; otherwise pip's files and variables are read; what neither names
is pip's own default, asked of the pip that is installed. Credentials stay in the answer, which only the host sees.

>>> names = discover({"PIP_INDEX_URL": "https://me:secret@index.invalid/simple", "PIP_CONFIG_FILE": "/dev/null"})
>>> names.indexes[0].url, names.indexes[0].login
('https://index.invalid/simple', ('me', 'secret'))
"""

import configparser
import netrc
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from karkhana.domain.errors import EnvironmentFailure

_DEFAULT_OF_PIP = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_BUNDLED_PIP = (
    "import sys, glob, ensurepip, os.path as p; "
    "sys.path[:0] = glob.glob(p.join(p.dirname(ensurepip.__file__), '_bundled', 'pip-*.whl')); "
)


_SYSTEM_FILES = (Path("/etc/pip.conf"),)


class Index(msgspec.Struct, frozen=True):
    """One place that packages come from."""

    url: str
    """``https:``, ``http:`` or ``file:``, without credentials."""
    login: tuple[str, str] | None = None
    flat: bool = False
    """A page or folder of files (``--find-links``) instead of one page per project."""


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and how to reach them."""

    indexes: tuple[Index, ...]
    """The first one that is not flat is the main one."""
    certificates: str | None = None
    """File of certificates to trust; the system's when absent."""
    trusted_hosts: frozenset[str] = frozenset()
    """Hosts whose certificate is not checked, as the host's owner decided."""
    first_match: bool = False
    """Take a project from the first index that has it (uv's way) instead of the best of all (pip's way)."""


def discover(environ: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings in force for ``environ`` (this process's own when absent)."""
    environ = os.environ if environ is None else environ
    return _from_uv(environ) or _from_pip(environ)


def _from_uv(environ: Mapping[str, str]) -> IndexSettings | None:
    options = _uv_options(environ)
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or options.get("index-url")
    extra = _words(environ.get("UV_INDEX")) + _words(environ.get("UV_EXTRA_INDEX_URL"))
    extra += [str(url) for url in options.get("extra-index-url", [])]
    for table in options.get("index", []):
        if table.get("default"):
            default = default or table.get("url")
        else:
            extra.append(str(table.get("url", "")))
    links = _words(environ.get("UV_FIND_LINKS"), ",") + [str(url) for url in options.get("find-links", [])]
    alone = _truth(environ.get("UV_NO_INDEX")) or bool(options.get("no-index"))
    if not (default or extra or links or alone):
        return None
    # UV_INDEX takes NAME=URL as well
    urls = [] if alone else [url.split("=", 1)[-1] if "=" in url.split("://")[0] else url for url in extra]
    main = [] if alone else [str(default or default_index())]
    certificates = environ.get("SSL_CERT_FILE")
    return IndexSettings(indexes=_indexes([*urls, *main], links, environ), certificates=certificates, first_match=True)


def _uv_options(environ: Mapping[str, str]) -> dict[str, Any]:
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "/"), ".config"))
    named = environ.get("UV_CONFIG_FILE")
    paths = [Path(named)] if named else [Path(config, "uv/uv.toml"), Path("/etc/uv/uv.toml")]
    for path in paths:
        try:
            options = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError):
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise EnvironmentFailure(f"{path} cannot be read: {error}", "mend uv's configuration") from error
        return {**options, **options.get("pip", {})}
    return {}


def _from_pip(environ: Mapping[str, str]) -> IndexSettings:
    options = _pip_options(environ)

    def words(key: str) -> list[str]:
        return _words(environ.get("PIP_" + key.upper().replace("-", "_"), options.get(key)))

    alone = _truth((words("no-index") or ["no"])[0])
    main = [] if alone else (words("index-url")[:1] or [default_index()])
    extra = [] if alone else words("extra-index-url")
    return IndexSettings(
        indexes=_indexes([*main, *extra], words("find-links"), environ),
        certificates=next(iter(words("cert")), None),
        trusted_hosts=frozenset(host.partition(":")[0] for host in words("trusted-host")),
    )


def _pip_options(environ: Mapping[str, str]) -> dict[str, str]:
    """Options of ``[global]`` and ``[install]``; later files win, as in pip."""
    found: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue
        except (configparser.Error, UnicodeDecodeError) as error:
            raise EnvironmentFailure(f"{path} cannot be read: {error}", "mend pip's configuration") from error
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    return found


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home = environ.get("HOME", "/")
    for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")):
        yield Path(folder, "pip/pip.conf")
    yield from _SYSTEM_FILES
    yield Path(home, ".pip/pip.conf")
    yield Path(environ.get("XDG_CONFIG_HOME") or Path(home, ".config"), "pip/pip.conf")
    yield Path(sys.prefix, "pip.conf")
    if named:
        yield Path(named)


def default_index() -> str:
    """The index that an unconfigured pip uses, as the installed pip (or the one bundled with Python) says."""
    for program in (_DEFAULT_OF_PIP, _BUNDLED_PIP + _DEFAULT_OF_PIP):
        argv = [sys.executable, "-I", "-c", program]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, cwd="/")
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    raise EnvironmentFailure(
        "no package index is configured on this host, and there is no pip to ask for its default",
        "configure one for pip or uv, e.g. in ~/.config/pip/pip.conf",
    )


def _indexes(simple: Iterable[str], links: Iterable[str], environ: Mapping[str, str]) -> tuple[Index, ...]:
    found = [_index(url, False, environ) for url in simple] + [_index(url, True, environ) for url in links]
    return tuple(dict.fromkeys(found))


def _index(url: str, flat: bool, environ: Mapping[str, str]) -> Index:
    if "://" not in url and not url.startswith("file:"):
        return Index(Path(url).expanduser().absolute().as_uri(), None, flat)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file"):
        raise EnvironmentFailure(
            f"the configured package index has the scheme {parts.scheme!r}", "use one that is reached by http or file"
        )
    host = parts.netloc.rpartition("@")[2]
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    clean = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    return Index(clean, login or _from_netrc(parts.hostname, environ), flat)


def _from_netrc(host: str | None, environ: Mapping[str, str]) -> tuple[str, str] | None:
    path = environ.get("NETRC") or str(Path(environ.get("HOME", "/"), ".netrc"))
    try:
        entry = netrc.netrc(path).authenticators(host) if host else None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    return (entry[0], entry[2]) if entry else None


def _words(text: str | None, separator: str | None = None) -> list[str]:
    return [word.strip() for word in (text or "").split(separator) if word.strip()]


def _truth(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "true", "yes", "on", "y", "t")
