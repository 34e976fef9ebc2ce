"""Differences of answers, part by part, without what differs by itself."""

import json
from typing import Any

from karkhana.quality.traffic.comparing import Difference, Kind, differences
from karkhana.quality.traffic.requests import Answer, Request

REQUEST = Request(method="GET", target="/a")


def answer(value: Any = None, *, status: int = 200, text: str = "", error: str = "", **headers: str) -> Answer:
    kind = "text/html" if text else "application/json"
    body = text.encode() if text else json.dumps(value).encode()
    given = (("Content-Type", kind), *headers.items())
    return Answer(number=0, status=status, headers=given, body=body, size=len(body), error=error)


def compared(before: list[Answer], after: list[Answer], *names: str) -> list[tuple[str, str, str, str]]:
    found = differences([REQUEST], [{0: a} for a in before], [{0: a} for a in after], ("content-type", *names))
    return [(d.kind.value, d.part, d.before, d.after) for each in found for d in each]


def test_fields_that_are_gone_new_or_changed() -> None:
    old, new = answer({"a": 1, "b": [1, 2], "c": None}), answer({"a": "1", "b": [1], "d": {}})
    assert compared([old, old], [new, new]) == [
        ("changed", "$.a", "1", '"1"'),
        ("changed", "$.b.length", "2", "1"),
        ("lost", "$.b[1]", "2", "nothing"),
        ("lost", "$.c", "null", "nothing"),
        ("added", "$.d", "nothing", "{}"),
    ]
    assert compared([old, old], [old, old]) == []


def test_what_differs_by_itself_is_left_out_wherever_it_stands() -> None:
    def at(time: int, price: int = 3) -> Answer:
        return answer([{"at": 5, "price": price}, {"at": time, "price": price}])

    assert compared([at(1), at(2)], [at(3), at(4)]) == []
    assert compared([at(1), at(1)], [at(3), at(4)]) == []  # the change brings the noise along
    assert [row[1] for row in compared([at(1), at(2)], [at(3, 4), at(4, 4)])] == ["$[0].price", "$[1].price"]


def test_statuses_tell_more_than_bodies() -> None:
    good, bad = answer({"a": 1}), answer({"detail": "?"}, status=500, error="KeyError: 'a'")
    assert compared([good, good], [bad, bad]) == [("broken", "status", "200", "500 (KeyError: 'a')")]
    assert [row[0] for row in compared([bad, bad], [good, good])] == ["repaired"]
    assert compared([bad, bad], [answer({}, status=500)] * 2) == []
    assert [row[0] for row in compared([good, good], [answer({}, status=404)] * 2)] == ["changed"]
    assert compared([good, bad], [bad, bad]) == []


def test_headers_and_text() -> None:
    old, new = answer(text="<p>\n1\n", Location="/a", X="1"), answer(text="<p>\n2\n", Location="/b", X="2")
    assert [row[1] for row in compared([old, old], [new, new], "location")] == ["header location", "line 2"]
    cookies = [answer(1, **{"Set-Cookie": f"sid={n}; Path=/"}) for n in range(2)]
    assert compared([cookies[0]] * 2, [cookies[1]] * 2, "set-cookie") == []
    broken = Answer(number=0, status=200, headers=(("content-type", "application/json"),), body=b"{", size=1)
    assert [row[1] for row in compared([answer(1)] * 2, [broken] * 2)] == ["$", "body"]


def test_a_request_that_a_run_did_not_answer_says_nothing() -> None:
    assert differences([REQUEST], [{0: answer(1)}, {}], [{0: answer(2)}], ()) == []


def test_the_innermost_field_is_named() -> None:
    fields = [
        Difference(request=REQUEST, kind=Kind.CHANGED, part=part, before="", after="").field
        for part in ("$.a.b[0]", "$[1]", "status", "line 3")
    ]
    assert fields == ["b", "", "", ""]
