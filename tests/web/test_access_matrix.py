"""Every address x role x own and foreign product (see benchmarks/access_matrix.py), and that a slip would show."""

import asyncio
from pathlib import Path

import pytest
from benchmarks.access_matrix import MOVING, Matrix, expected, measured, routes_of
from benchmarks.access_world import FOREIGN, settings_for

from karkhana.factory.stores import open_stores
from karkhana.web.app import dashboard
from karkhana.web.permissions import needs, permitted
from karkhana.web.rendering import lasting
from karkhana.web.routes import pages_of_ours
from karkhana.web.site import Site


def test_every_route_says_who_may_use_it(stores):
    app = dashboard(stores, account="asha", port=8321)
    assert sorted(routes_of(app)) == sorted(expected())
    assert len(routes_of(app)) > 90


def test_a_route_without_a_role_keeps_the_server_from_starting():
    route = pages_of_ours()[0]
    route.path = "/new"
    with pytest.raises(LookupError, match=r"GET.*/new has no role"):
        permitted([route])


def test_what_the_server_goes_by_is_what_is_expected():
    for name, need in needs().items():
        assert expected()[name].role == need.role, name
        assert expected()[name].of in (need.of, "one", "own"), name


def test_a_slow_machine_changes_nothing_of_what_is_compared():
    """What waits for 59 s at the first look waits for a minute and 2 s at the second."""
    seconds = (0.004, 12.3, 59.94, 61.0, 3600.0, 7300.0, 86_399.0, 200_000.0)
    found = {MOVING.sub(b"", f"BUILD-1, for {lasting(each)}, waits".encode()) for each in seconds}
    assert found == {b"BUILD-1, for , waits"}


@pytest.mark.slow
def test_nobody_sees_or_does_what_is_not_theirs(tmp_path: Path):
    figures = measured(tmp_path)
    assert (figures.without_entry, figures.wrong, figures.leaks) == ([], [], [])
    assert figures.combinations > 2000


def test_slips_show(tmp_path: Path, monkeypatch):
    """A list that does not ask whose it is, a page that does not look, and a role that is not needed."""
    with open_stores(settings_for(tmp_path)) as stores:
        matrix = Matrix(stores, tmp_path)
        entries = expected()
        some = [each for each in matrix.identities if each.name == "viewer-shop session"]

        def judged(route: str) -> tuple[list[str], list[str]]:
            matrix.figures.wrong, matrix.figures.leaks = [], []
            asyncio.run(matrix._route(route, entries[route], some[0]))
            return matrix.figures.wrong, matrix.figures.leaks

        page = "GET /runs/{run_id}"
        assert judged(page) == judged("GET /approvals") == ([], [])
        monkeypatch.setattr(Site, "row", lambda site, _request, run_id: site.lists.get(run_id))
        wrong, leaks = judged(page)
        assert any(FOREIGN in each for each in wrong)
        assert leaks
        monkeypatch.setattr("karkhana.web.pages.approvals.sees", lambda _request: (True, frozenset()))
        assert judged("GET /approvals")[1]
        monkeypatch.setattr(Site, "lacking", lambda *_words: None)
        assert judged("POST /runs/{run_id}/cancel")[0]
