"""SWE-agent's trajectories, of all its edit commands."""

import json

import pytest

from karkhana.domain.tools import ListFiles, ReadFile, Search
from karkhana.engineers.recorded.recording import Insert, Look, Put, Shell, Splice, Submit, Swap, Unreadable
from karkhana.engineers.recorded.swe_agent import recording

DONE = "[File: /shop/cart.py (3 lines total)]\n1:a\n2:b\n3:c\nFile updated. Please review the changes."
REFUSED = "Your proposed edit has introduced new syntax error(s)."
OPENED = "[File: /shop/cart.py (3 lines total)]\n1:a\n2:b\n3:c\n"
PATCH = "diff --git a/cart.py b/cart.py\n"


def steps(*turns: tuple[str, str], submission: str = "") -> tuple[object, ...]:
    return read(*turns, submission=submission).steps


def read(*turns: tuple[str, str], submission: str = "", name: str = "o__shop-12.traj") -> "object":
    state = json.dumps({"open_file": "n/a", "working_dir": "/shop"})
    trajectory = [{"action": action, "observation": answer, "state": state} for action, answer in turns]
    content = json.dumps({"trajectory": trajectory, "info": {"submission": submission or None}}).encode()
    return recording(name, content)


def test_edits_by_line_numbers() -> None:
    found = steps(
        ("edit 2:3\nx\n\nend_of_edit\n", DONE), ("edit 1:1\nend_of_edit", DONE), ("edit 2:2\ny\nend_of_edit", REFUSED)
    )
    assert found == (
        Splice(path="cart.py", first=2, last=3, text="x\n\n"),
        Splice(path="cart.py", first=1, last=1, text=""),
    )


def test_edits_at_cursors() -> None:
    found = steps(("set_cursors 2 3\n", OPENED), ("edit\nx\nend_of_edit\n", DONE))
    assert found == (Splice(path="cart.py", first=2, last=3, text="x\n"),)


def test_edits_by_search_and_replace() -> None:
    done = "Text replaced. Please review the changes\r\n[File: /shop/cart.py (3 lines total)]\r\n1:a"
    found = steps(
        ("edit 'it'\"'\"'s' 'x\ny'", done), ("edit a b true", done), ("insert 'z\nq' 2", DONE), ("edit 'a", done)
    )
    assert found == (
        Swap(path="cart.py", old="it's", new="x\ny"),
        Swap(path="cart.py", old="a", new="b", everywhere=True),
        Insert(path="cart.py", after=2, text="z\nq"),
    )


def test_the_editor_of_later_versions() -> None:
    done = "The file /shop/cart.py has been edited."
    found = steps(
        ("str_replace_editor create /shop/new.py --file_text 'x = 1\n'", "File created successfully at: /shop/new.py"),
        ("str_replace_editor str_replace /shop/cart.py --old_str 'a' --new_str 'b'", done),
        ("str_replace_editor insert /shop/cart.py --insert_line 2 --new_str 'c'", done),
        ("str_replace_editor str_replace /shop/cart.py --old_str 'q' --new_str 'b'", "No replacement was performed"),
        ("str_replace_editor str_replace /etc/passwd --old_str 'a' --new_str 'b'", done),
    )
    assert found == (
        Put(path="new.py", content="x = 1\n"),
        Swap(path="cart.py", old="a", new="b"),
        Insert(path="cart.py", after=2, text="c"),
    )


def test_looking_around_and_commands() -> None:
    found = steps(
        ("open cart.py 2\n", OPENED),
        ("find_file cart.py src", "Found 1"),
        ('search_dir "def total("', "Found 2"),
        ("goto 12", OPENED),
        ("cd src", ""),
        ("python /shop/run.py", "1"),
        ("create new.py", "[File: /shop/src/new.py (1 lines total)]\n1:"),
        ("submit", PATCH),
        submission=PATCH,
    )
    assert found == (
        Look(call=ReadFile(path="cart.py", start=2)),
        Look(call=ListFiles(glob="cart.py")),
        Look(call=Search(pattern="def\\ total\\(")),
        Shell(command="python ../run.py", folder="src"),
        Put(path="src/new.py", content="\n"),
        Submit(),
    )


def test_what_was_handed_over_without_a_word_and_what_is_shown() -> None:
    made = read(("open cart.py", OPENED), ("edit 2:2\nx\nend_of_edit", DONE), submission=PATCH)
    assert made.steps[-1] == Submit()  # type: ignore[attr-defined]
    assert made.shown == {"cart.py": "a\nb\nc\n"}  # type: ignore[attr-defined]
    assert (made.task, made.submitted) == ("o__shop-12", PATCH)  # type: ignore[attr-defined]


def test_a_flag_is_no_patch() -> None:
    assert read(("submit 'flag{x}'", "flag{x}"), submission="flag{x}").submitted == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"trajectory": [], "info": []}', b"\xff"])
def test_what_is_no_trajectory(content: bytes) -> None:
    with pytest.raises(Unreadable, match="no trajectory"):
        recording("x.traj", content)
