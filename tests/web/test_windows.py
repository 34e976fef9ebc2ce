"""However large a change is, its page stays light, and nothing of it is out of reach."""

import pytest
from web_support import Line

from karkhana.domain import events as ev
from karkhana.domain.changes import Change
from karkhana.web.diffs import read_patch
from karkhana.web.windows import BUDGET, MOST_FILES, windows


def patch(files: int, rows: int, length: int = 40) -> str:
    return "".join(
        f"diff --git a/f{n}.py b/f{n}.py\n--- a/f{n}.py\n+++ b/f{n}.py\n@@ -1,{rows} +1,{rows} @@\n"
        + "".join(f"-{row:05d} {'o' * length}\n+{row:05d} {'n' * length}\n" for row in range(rows))
        for n in range(files)
    )


def test_a_small_change_is_shown_whole():
    found = windows(read_patch(patch(3, 20)))
    assert [(window.file.path, window.following, len(window.lines)) for window in found] == [
        (f"f{n}.py", 0, 20) for n in range(3)
    ]


@pytest.mark.parametrize("length", [1, 300, 5000])
def test_a_file_is_read_on_to_its_end(length):
    files = read_patch(patch(2, 1200, length))
    [window] = windows(files)
    seen, first = set(window.lines), window.following
    while first:
        [window] = windows(files, files[0].anchor, first)
        assert not window.lines & seen
        seen |= window.lines
        first = window.following
    assert seen == set(range(1, 1201))


def test_files_that_have_no_room_are_reached_by_name():
    files = read_patch(patch(300, 30))
    found = windows(files)
    assert 1 < len(found) < MOST_FILES
    assert [window.file.path for window in windows(files, files[250].anchor)] == ["f250.py"]
    assert windows(files, "file-nothing") == found


@pytest.mark.parametrize(("files", "rows", "length"), [(1, 5000, 60), (400, 50, 20), (40, 100, 3000), (3000, 1, 5)])
def test_the_page_of_a_giant_change_is_light(client, line: Line, files, rows, length):
    claim = line.begin("A giant change")
    line.build(claim)
    change = Change(base=line.commit, files=(), patch=patch(files, rows, length), summary="much", engineer="llm")
    line.record(claim, ev.ChangeHandedOver(change=change))
    page = client.get(f"/runs/{claim.run_id}/changes")
    assert 20_000 < len(page.content) < BUDGET + 40_000
