import base64
import http.client
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packages_support import make_index, wheel

from karkhana.workspace import index_proxy
from karkhana.workspace.index_proxy import IndexProxy
from karkhana.workspace.index_settings import Index, IndexSettings


class Connection(http.client.HTTPConnection):
    """HTTP over the proxy's unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def get(proxy: IndexProxy, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = Connection(proxy.socket_path)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def serving(*indexes: Index, folder: Path) -> Iterator[IndexProxy]:
    with IndexProxy(IndexSettings(indexes=indexes), folder / "index.sock") as proxy:
        yield proxy


@pytest.fixture
def local(tmp_path: Path) -> Iterator[IndexProxy]:
    place = make_index(tmp_path / "index", wheel("alpha"), wheel("beta"))
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "gamma-1.0.tar.gz").write_bytes(b"gamma")
    (flat / "notes.txt").write_text("canary")
    (tmp_path / "secret").write_text("canary")
    with serving(Index(place.as_uri()), Index(flat.as_uri(), None, True), folder=tmp_path) as proxy:
        yield proxy


def link(page: bytes) -> str:
    return page.split(b'href="')[1].split(b'"')[0].decode().partition("#")[0]


def test_pages_and_their_files_are_served(local: IndexProxy, tmp_path: Path) -> None:
    status, page = get(local, "/index/0/alpha/")
    assert status == 200
    assert b"#sha256=" in page
    assert str(tmp_path).encode() not in page
    status, content = get(local, link(page))
    assert (status, content) == (200, wheel("alpha")[1])


def test_flat_folders_offer_packages_only(local: IndexProxy) -> None:
    status, page = get(local, "/links/1/")
    assert status == 200
    assert page.count(b"<a ") == 1
    assert get(local, link(page)) == (200, b"gamma")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index/0/",
        "/index/0/none/",
        "/index/1/alpha/",
        "/index/7/alpha/",
        "/links/0/",
        "/index/0/../../secret/",
        "/index/0/..%2f..%2fsecret/",
        "/index/0/%2e%2e/",
        "/file/none/x",
        "/file/00000000000000000000000000000000/x",
        "/file/../secret",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "/index/0/alpha/?x=y",
        "/index/0/" + "a" * 200 + "/",
    ],
)
def test_nothing_else_can_be_named(local: IndexProxy, path: str) -> None:
    status, content = get(local, path)
    assert status == 404
    assert b"canary" not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "CONNECT", "DELETE", "OPTIONS"])
def test_nothing_can_be_sent(local: IndexProxy, method: str) -> None:
    assert get(local, "/index/0/alpha/", method)[0] in (400, 501)


def test_nonsense_does_not_stop_it(local: IndexProxy) -> None:
    for data in (b"\0\xff\r\n\r\n", b"GET /index/0/%ff/ HTTP/1.1\r\n\r\n", b"GET " + b"x" * 70_000 + b"\r\n", b""):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(local.socket_path))
            client.sendall(data)
    assert get(local, "/index/0/alpha/")[0] == 200


def test_the_number_of_requests_is_bounded(local: IndexProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_proxy, "REQUESTS_MAX", 2)
    assert [get(local, "/index/0/alpha/")[0] for _ in range(3)] == [200, 200, 429]


def test_the_bytes_are_bounded(local: IndexProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_proxy, "BYTES_MAX", 10)
    path = link(get(local, "/index/0/alpha/")[1])
    with pytest.raises(http.client.IncompleteRead):
        get(local, path)


def test_options_for_the_installer(tmp_path: Path) -> None:
    one, two, flat = Index("https://one.invalid/s"), Index("https://two.invalid/s"), Index("file:///x", None, True)
    like_pip = IndexProxy(IndexSettings(indexes=(one, two, flat)), tmp_path / "s").installer_options(80)
    assert like_pip == (
        "--find-links=http://127.0.0.1:80/links/2/",
        "--index-strategy=unsafe-best-match",
        "--extra-index-url=http://127.0.0.1:80/index/1/",
        "--index-url=http://127.0.0.1:80/index/0/",
    )
    like_uv = IndexProxy(IndexSettings(indexes=(one, two), first_match=True), tmp_path / "s").installer_options(80)
    assert like_uv == ("--extra-index-url=http://127.0.0.1:80/index/0/", "--index-url=http://127.0.0.1:80/index/1/")
    assert IndexProxy(IndexSettings(indexes=()), tmp_path / "s").installer_options(80) == ("--no-index",)


class Remote(http.server.BaseHTTPRequestHandler):
    """An index on the network that wants a password, redirects, and links to another host."""

    seen: list[tuple[str, str | None]]
    elsewhere: str = ""

    def do_GET(self) -> None:
        login = self.headers.get("Authorization")
        self.seen.append((self.path, login))
        if self.path.startswith("/simple/") and login != "Basic " + base64.b64encode(b"me:secret").decode():
            self.reply(401, b"")
        elif self.path == "/simple/moved/":
            self.send_response(302)
            self.send_header("Location", f"{self.elsewhere}/simple2/moved/")
            self.end_headers()
        elif self.path == "/simple/evil/":
            self.reply(200, b'<a href="file:///etc/passwd">evil-1.0.tar.gz</a>')
        elif self.path == "/simple/broken/":
            self.reply(200, b"{", "application/vnd.pypi.simple.v1+json")
        elif self.path.endswith("/"):
            self.reply(200, f'<a href="{self.elsewhere}/f/alpha-1.0.zip">x</a><a href="/f/own-1.0.zip">y</a>'.encode())
        elif self.headers.get("Range"):
            self.reply(206, b"lp")
        else:
            self.reply(200, b"alpha" + (b".metadata" if self.path.endswith(".metadata") else b""))

    def reply(self, status: int, body: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def listening(handler: type[Remote]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[tuple[IndexProxy, type[Remote], type[Remote]]]:
    """A proxy before an index with a password, whose pages link to another server."""
    main, other = type("Main", (Remote,), {"seen": []}), type("Other", (Remote,), {"seen": []})
    with listening(other) as elsewhere, listening(main) as root:
        main.elsewhere = elsewhere.replace("127.0.0.1", "localhost")
        with serving(Index(f"{root}/simple", ("me", "secret")), folder=tmp_path) as proxy:
            yield proxy, main, other


def test_credentials_are_added_by_the_proxy_and_never_leave_it(
    remote: tuple[IndexProxy, type[Remote], type[Remote]],
) -> None:
    proxy, main, other = remote
    status, page = get(proxy, "/index/0/alpha/", headers={"Authorization": "Basic forged"})
    assert status == 200
    assert b"secret" not in page
    assert b"127.0.0.1" not in page
    assert main.seen[0][1] is not None
    foreign, own = [row.split(b'"')[0].decode() for row in page.split(b'href="')[1:]]
    assert get(proxy, foreign) == (200, b"alpha")
    assert other.seen == [("/f/alpha-1.0.zip", None)]
    assert get(proxy, own) == (200, b"alpha")
    assert main.seen[-1][1] is not None


def test_metadata_and_ranges_are_passed_on(remote: tuple[IndexProxy, type[Remote], type[Remote]]) -> None:
    proxy, _, _ = remote
    path = link(get(proxy, "/index/0/alpha/")[1])
    assert get(proxy, path + ".metadata") == (200, b"alpha.metadata")
    assert get(proxy, path, headers={"Range": "bytes=1-2"}) == (206, b"lp")
    assert get(proxy, path, "HEAD") == (200, b"")


def test_a_redirect_to_another_host_carries_no_credentials(
    remote: tuple[IndexProxy, type[Remote], type[Remote]],
) -> None:
    proxy, _, other = remote
    assert get(proxy, "/index/0/moved/")[0] == 200
    assert other.seen == [("/simple2/moved/", None)]


def test_a_page_from_the_network_cannot_name_files_of_the_host(
    remote: tuple[IndexProxy, type[Remote], type[Remote]],
) -> None:
    proxy, _, _ = remote
    status, content = get(proxy, link(get(proxy, "/index/0/evil/")[1]))
    assert status == 404
    assert b"root:" not in content


def test_what_goes_wrong_upstream_is_told_to_a_person(
    remote: tuple[IndexProxy, type[Remote], type[Remote]], tmp_path: Path
) -> None:
    proxy, main, _ = remote
    assert get(proxy, "/index/0/broken/")[0] == 502
    assert any("cannot be read" in problem for problem in proxy.problems)
    folder = tmp_path / "more"
    folder.mkdir()
    url = proxy.settings.indexes[0].url
    with serving(Index(url), Index("http://127.0.0.1:1/simple"), folder=folder) as other:
        assert get(other, "/index/0/alpha/")[0] == 401
        assert get(other, "/index/1/alpha/")[0] == 502
        assert [p.split(":")[0] for p in other.problems] == [
            "the package index 127.0.0.1 answered 401",
            "the package index could not be reached",
        ]
    assert main.seen


def test_a_socket_may_lie_deep(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("er" * 20)
    folder.mkdir(parents=True)
    with serving(folder=folder) as proxy:
        assert len(str(proxy.socket_path)) > 108
        assert proxy.socket_path.is_socket()
    assert not proxy.socket_path.exists()
