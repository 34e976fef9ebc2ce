import json

import pytest

from karkhana.workspace.index_pages import LinkedFile, parse, render

PAGE = """<!DOCTYPE html><html><head><base href="https://files.invalid/base/"></head><body>
<a href="a-1.0-py3-none-any.whl#sha256=aa" data-requires-python="&gt;=3.8" data-dist-info-metadata="sha256=bb">x</a>
<a href="https://other.invalid/b%2Bc-1.tar.gz" data-yanked="bad &amp; old" onclick="x()">y</a>
<a href="sub/">folder</a><a>none</a></body></html>"""


def test_html_pages() -> None:
    assert parse("https://index.invalid/simple/a/", "text/html", PAGE.encode()) == (
        LinkedFile(
            "a-1.0-py3-none-any.whl",
            "https://files.invalid/base/a-1.0-py3-none-any.whl",
            "sha256=aa",
            (("data-requires-python", ">=3.8"), ("data-dist-info-metadata", "sha256=bb")),
        ),
        LinkedFile("b+c-1.tar.gz", "https://other.invalid/b%2Bc-1.tar.gz", "", (("data-yanked", "bad & old"),)),
    )


def test_json_pages_say_the_same() -> None:
    page = {
        "files": [
            {
                "filename": "a-1.0-py3-none-any.whl",
                "url": "../../f/a-1.0-py3-none-any.whl",
                "hashes": {"md5": "x", "sha256": "aa"},
                "requires-python": ">=3.8",
                "core-metadata": {"sha256": "bb"},
                "yanked": False,
            },
            {"filename": "b.zip", "url": "b.zip", "hashes": {}, "yanked": "broken", "core-metadata": True},
        ]
    }
    files = parse("https://index.invalid/simple/a/", "application/vnd.pypi.simple.v1+json", json.dumps(page).encode())
    assert [f.url for f in files] == [
        "https://index.invalid/f/a-1.0-py3-none-any.whl",
        "https://index.invalid/simple/a/b.zip",
    ]
    assert files[0].attributes == (("data-requires-python", ">=3.8"), ("data-core-metadata", "sha256=bb"))
    assert files[1].attributes == (("data-yanked", "broken"), ("data-core-metadata", "true"))


def test_a_rendered_page_reads_as_the_original() -> None:
    files = parse("https://index.invalid/simple/a/", "text/html", PAGE.encode())
    again = parse("http://local.invalid/", "text/html", render(files, lambda file: f"/file/{file.name}"))
    assert [(f.name, f.fragment, f.attributes) for f in again] == [(f.name, f.fragment, f.attributes) for f in files]


def test_markup_in_a_page_cannot_break_out() -> None:
    file = LinkedFile('"><script>', "x", '"><b', (("data-yanked", '"><i>'),))
    page = render((file,), lambda _: "/file/x")
    assert page.count(b"<") == len(b"<!DOCTYPE<html<body<a</a<br</body</html".split(b"<")) - 1
    assert b"<script" not in page


@pytest.mark.parametrize("page", [b"[]", b"{}", b'{"files": 3}', b"{", b'{"files": [{}]}'])
def test_pages_that_are_no_index_raise_an_error_that_the_proxy_expects(page: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse("https://index.invalid/", "application/json", page)
