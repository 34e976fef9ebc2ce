"""The git forge on real repositories."""

import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from delivery_repositories import make_repository, make_request, run_git

from karkhana.delivery.git_forge import GitForge
from karkhana.domain.changes import EXECUTABLE, FileChange, FileState
from karkhana.domain.errors import DeliveryFailed

FIX = {"cart.py": (b"total = 1\n", b"total = 2\n")}
BRANCH = "karkhana/BUILD-1"


def snapshot(repository: Path) -> dict[str, str]:
    """Every byte outside the object store and the reference log, by path."""
    return {
        str(p.relative_to(repository)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(repository.rglob("*"))
        if p.is_file() and "objects" not in p.parts and "logs" not in p.parts
    }


def test_without_a_remote_the_branch_is_in_the_repository(shop: Path) -> None:
    receipt = GitForge().deliver(make_request(shop, FIX))
    assert receipt.branch == BRANCH
    assert receipt.remote is None
    assert run_git(shop, "show", f"{BRANCH}:cart.py") == "total = 2\n"
    assert run_git(shop, "rev-parse", BRANCH).strip() == receipt.commit
    assert run_git(shop, "rev-parse", f"{BRANCH}^") == run_git(shop, "rev-parse", "main")


def test_nothing_else_of_the_repository_changes(shop: Path) -> None:
    (shop / "cart.py").write_bytes(b"half finished\n")
    (shop / "staged.py").write_bytes(b"staged\n")
    run_git(shop, "add", "staged.py")
    (shop / "untracked").write_bytes(b"untracked\n")
    before = snapshot(shop)
    GitForge().deliver(make_request(shop, FIX))
    after = snapshot(shop)
    new = after.keys() - before.keys()
    assert new == {f".git/refs/heads/{BRANCH}"}
    assert {path: after[path] for path in before} == before


def test_the_same_request_gives_the_same_commit_and_changes_nothing_more(shop: Path, origin: Path) -> None:
    request = make_request(shop, FIX)
    first = GitForge().deliver(request)
    once = (snapshot(shop), snapshot(origin))
    assert GitForge().deliver(request) == first
    assert (snapshot(shop), snapshot(origin)) == once


def test_the_branch_is_pushed_to_origin_and_main_stays(shop: Path, origin: Path) -> None:
    main = run_git(origin, "rev-parse", "main")
    receipt = GitForge().deliver(make_request(shop, FIX))
    assert receipt.remote == "origin"
    assert run_git(origin, "rev-parse", BRANCH).strip() == receipt.commit
    assert run_git(origin, "rev-parse", "main") == main


def test_the_only_remote_is_used_whatever_its_name(shop: Path, origin: Path) -> None:
    run_git(shop, "remote", "rename", "origin", "upstream")
    assert GitForge().deliver(make_request(shop, FIX)).remote == "upstream"


def test_several_remotes_without_origin_are_a_question(shop: Path, origin: Path) -> None:
    run_git(shop, "remote", "rename", "origin", "upstream")
    run_git(shop, "remote", "add", "fork", str(origin))
    with pytest.raises(DeliveryFailed, match="none is called origin") as failure:
        GitForge().deliver(make_request(shop, FIX))
    assert "git remote rename" in failure.value.next


def test_a_taken_branch_is_never_moved(shop: Path) -> None:
    run_git(shop, "branch", BRANCH)
    before = run_git(shop, "rev-parse", BRANCH)
    receipt = GitForge().deliver(make_request(shop, FIX))
    assert receipt.branch == f"{BRANCH}-2"
    assert run_git(shop, "rev-parse", BRANCH) == before
    assert GitForge().deliver(make_request(shop, FIX)) == receipt


def test_a_branch_taken_on_the_remote_only_is_not_moved_either(shop: Path, origin: Path) -> None:
    run_git(origin, "branch", BRANCH, "main")
    receipt = GitForge().deliver(make_request(shop, FIX))
    assert receipt.branch == f"{BRANCH}-2"
    assert run_git(origin, "rev-parse", BRANCH) == run_git(origin, "rev-parse", "main")


def test_all_names_taken(shop: Path) -> None:
    for name in (BRANCH, *(f"{BRANCH}-{n}" for n in range(2, 10))):
        run_git(shop, "branch", name)
    with pytest.raises(DeliveryFailed, match="taken"):
        GitForge().deliver(make_request(shop, FIX))


def test_a_branch_named_like_the_folder_is_a_clear_failure(shop: Path) -> None:
    run_git(shop, "branch", "karkhana")
    with pytest.raises(DeliveryFailed) as failure:
        GitForge().deliver(make_request(shop, FIX))
    assert failure.value.next


def test_no_hook_of_the_user_runs(shop: Path, origin: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    hooks = shop / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    names = [
        "pre-commit",
        "commit-msg",
        "post-commit",
        "pre-push",
        "reference-transaction",
        "post-update",
        "pre-auto-gc",
    ]
    for name in names:
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {canary}\n")
        (hooks / name).chmod(0o755)
    run_git(shop, "update-ref", "refs/heads/probe", "HEAD")
    assert canary.read_text(), "the hooks would run"
    canary.unlink()
    GitForge().deliver(make_request(shop, FIX))
    assert not canary.exists()


def test_filters_and_attributes_of_the_repository_do_not_run(shop: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    run_git(shop, "config", "filter.evil.clean", f"touch {canary}; cat")
    run_git(shop, "config", "filter.evil.smudge", f"touch {canary}; cat")
    run_git(shop, "config", "core.fsmonitor", f"touch {canary}")
    (shop / ".git/info").mkdir(exist_ok=True)
    (shop / ".git/info/attributes").write_text("* filter=evil\n")
    GitForge().deliver(make_request(shop, FIX))
    assert not canary.exists()


def test_a_rejecting_remote_is_reported_with_its_reason(shop: Path, origin: Path) -> None:
    hook = origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'policy: sign your commits' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(DeliveryFailed, match="sign your commits") as failure:
        GitForge().deliver(make_request(shop, FIX))
    assert "rejected" in failure.value.message
    assert failure.value.next
    assert run_git(origin, "branch", "--list", BRANCH) == ""
    hook.unlink()
    assert GitForge().deliver(make_request(shop, FIX)).branch == BRANCH


def test_a_remote_that_is_gone(shop: Path, origin: Path) -> None:
    origin.rename(origin.with_name("moved.git"))
    with pytest.raises(DeliveryFailed, match="cannot be reached") as failure:
        GitForge().deliver(make_request(shop, FIX))
    assert "git ls-remote origin" in failure.value.next


def test_a_remote_that_never_answers_is_given_up(shop: Path, origin: Path, tmp_path: Path) -> None:
    slow = tmp_path / "slow-ssh"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    run_git(shop, "config", "core.sshCommand", str(slow))
    run_git(shop, "remote", "set-url", "origin", "ssh://example.invalid/shop.git")
    with pytest.raises(DeliveryFailed, match="did not answer"):
        GitForge(timeout_s=0.5).deliver(make_request(shop, FIX))


def test_credentials_in_the_address_are_not_shown(shop: Path, origin: Path) -> None:
    run_git(shop, "remote", "set-url", "origin", "https://ada:hunter2secret@127.0.0.1:1/shop.git")
    with pytest.raises(DeliveryFailed) as failure:
        GitForge().deliver(make_request(shop, FIX))
    assert "hunter2secret" not in failure.value.message + failure.value.next


@pytest.mark.parametrize(
    "name", ["-x", "a..b", "a b", "a/", "/a", "a.lock", "a~1", "a:b", "", "@{-1}", "a\nb", "x" * 300]
)
def test_impossible_branch_names(shop: Path, name: str) -> None:
    with pytest.raises(DeliveryFailed, match="cannot be the name"):
        GitForge().deliver(make_request(shop, FIX, branch=name))


def test_a_base_that_is_not_there(shop: Path) -> None:
    request = make_request(shop, FIX)
    request = msgspec.structs.replace(request, change=msgspec.structs.replace(request.change, base="1" * 40))
    with pytest.raises(DeliveryFailed, match="cannot be made on 111111111111"):
        GitForge().deliver(request)


def test_any_bytes_names_and_modes_arrive(tmp_path: Path) -> None:
    odd = 'we"ird\nna\tme\udcff.bin'
    old = {"gone.txt": b"gone\n", odd: b"\0\1\2old", "run.sh": b"#!/bin/sh\n", "a/b": b"file in a folder\n"}
    repository = make_repository(tmp_path / "odd", old)
    sides = {
        "gone.txt": (b"gone\n", None),
        odd: (b"\0\1\2old", b"\xff\0new\r\n"),
        "new/deep/file": (None, b"no line feed at the end"),
        "run.sh": (b"#!/bin/sh\n", b"#!/bin/sh\necho\n"),
        "a/b": (b"file in a folder\n", None),
        "a": (None, b"a file now\n"),
    }
    request = make_request(repository, sides)
    run = next(f for f in request.change.files if f.path == "run.sh")
    files = tuple(
        FileChange(f.path, f.before, FileState(EXECUTABLE, run.after.sha256 if run.after else "")) if f is run else f
        for f in request.change.files
    )
    request = msgspec.structs.replace(request, change=msgspec.structs.replace(request.change, files=files))
    GitForge().deliver(request)
    listed = run_git(repository, "ls-tree", "-r", "-z", BRANCH)
    modes = {r.partition("\t")[2]: r.split(" ")[0] for r in listed.split("\0") if r}
    assert modes == {"a": "100644", odd: "100644", "new/deep/file": "100644", "run.sh": "100755"}
    shown = run_git(repository, "cat-file", "-p", f"{BRANCH}:new/deep/file")
    assert shown == "no line feed at the end"


def test_a_linked_work_tree_and_a_subfolder_work(shop: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    run_git(shop, "worktree", "add", "-q", str(linked), "-b", "other")
    receipt = GitForge().deliver(make_request(linked, FIX))
    assert run_git(shop, "rev-parse", BRANCH).strip() == receipt.commit


def test_a_shallow_clone_delivers(shop: Path, tmp_path: Path) -> None:
    for number in range(3):
        (shop / "read.me").write_text(f"{number}\n")
        run_git(shop, "commit", "-q", "-am", f"Step {number}")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--depth", "1", f"file://{shop}", str(clone))
    run_git(clone, "remote", "remove", "origin")
    receipt = GitForge().deliver(make_request(clone, FIX))
    assert run_git(clone, "show", f"{receipt.branch}:cart.py") == "total = 2\n"


def test_git_variables_of_the_caller_do_not_lead_elsewhere(
    shop: Path, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other", {"x": b"x"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    receipt = GitForge().deliver(make_request(shop, FIX))
    assert run_git(origin, "rev-parse", BRANCH).strip() == receipt.commit
    assert os.environ["GIT_DIR"] == str(other / ".git")
