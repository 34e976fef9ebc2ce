import os
import subprocess
from pathlib import Path

import pytest

from karkhana.domain.errors import BareRepository, EmptyRepository, InvalidInput, NotARepository
from karkhana.git import ChangedFile, Repository


def test_open_finds_the_root_from_a_subfolder(tree):
    opened = Repository.open(tree.root / "src")
    assert opened.root == tree.root
    assert opened.git_dir == tree.root / ".git"
    assert opened.head() == tree.git("rev-parse", "HEAD")
    assert opened.branch() == "main"


def test_open_resolves_a_linked_work_tree(tree, tmp_path):
    tree.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    (tmp_path / "linked/new").write_text("x")
    opened = Repository.open(tmp_path / "linked")
    assert opened.root == tmp_path / "linked"
    assert opened.common_dir == tree.root / ".git"
    assert opened.files(opened.head()).keys() == {"README", "data.bin", "src/cart.py"}
    assert opened.branch() is None


def test_open_refuses_what_is_no_repository(tmp_path):
    with pytest.raises(NotARepository, match="not in a git repository"):
        Repository.open(tmp_path)
    with pytest.raises(NotARepository, match="not a folder"):
        Repository.open(tmp_path / "missing")


def test_open_refuses_a_bare_repository_and_a_git_directory(tree, tmp_path):
    tree.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    for place in (tmp_path / "bare.git", tree.root / ".git", tree.root / ".git/objects"):
        with pytest.raises(BareRepository):
            Repository.open(place)


def test_head_of_an_empty_repository(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(EmptyRepository, match="no commit"):
        Repository.open(tmp_path).head()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_says_what_to_do(tree, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder, _, files in os.walk(tree.root):
        for name in (".", *files):
            os.chown(Path(folder) / name, 65534, 65534)
    with pytest.raises(NotARepository) as caught:
        Repository.open(tree.root)
    assert "safe.directory" in caught.value.next


@pytest.mark.parametrize("rev", ["missing", "--all", "", "HEAD:README", "HEAD\n", "HEAD^{tree}"])
def test_resolve_refuses_what_is_no_commit(tree, rev):
    with pytest.raises(InvalidInput):
        Repository.open(tree.root).resolve(rev)


def test_resolve(tree):
    first = tree.git("rev-parse", "HEAD")
    tree.git("tag", "-a", "-m", "x", "v1")
    tree.write("b", "b")
    second = tree.commit()
    opened = Repository.open(tree.root)
    assert [opened.resolve(r) for r in ("v1", "HEAD~1", "main", second[:10])] == [first, first, second, second]


def test_dirty_counts_tracked_files_only(tree):
    opened = Repository.open(tree.root)
    tree.write("untracked", "x")
    assert not opened.dirty()
    tree.write("README", "changed\n")
    assert opened.dirty()


def test_dirty_sees_a_staged_change(tree):
    tree.write("new", "x")
    tree.git("add", "new")
    assert Repository.open(tree.root).dirty()


def test_dirty_starts_no_program_of_the_tree(tree, tmp_path):
    canary = tmp_path / "canary"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    program.chmod(0o755)
    tree.git("config", "core.fsmonitor", str(program))
    for kind in ("clean", "smudge", "process"):
        tree.git("config", f"filter.evil.{kind}", str(program))
    tree.git("config", "filter.evil.required", "true")
    hook = tree.root / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(program.read_text())
    hook.chmod(0o755)
    tree.write(".gitattributes", "* filter=evil\n")
    os.utime(tree.root / "README", (1, 1))
    assert not Repository.open(tree.root).dirty()
    assert not canary.exists()
    # the same repository does start them when nothing is switched off
    subprocess.run(["git", "status", "--porcelain"], cwd=tree.root, capture_output=True, check=False)
    assert canary.exists()


def test_files_and_submodules_are_apart(tree, tmp_path):
    other = tree.git("rev-parse", "HEAD")
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{other},vendor/lib")
    (tree.root / "vendor/lib").mkdir(parents=True)
    (tree.root / "link").symlink_to("README")
    (tree.root / "run.sh").write_text("#!/bin/sh\n")
    (tree.root / "run.sh").chmod(0o755)
    commit = tree.commit()
    opened = Repository.open(tree.root)
    assert opened.submodules(commit) == {"vendor/lib": other}
    modes = {path: mode for path, (mode, _) in opened.files(commit).items()}
    assert modes == {
        "README": 0o100644,
        "data.bin": 0o100644,
        "link": 0o120000,
        "run.sh": 0o100755,
        "src/cart.py": 0o100644,
    }


def test_read_blobs(tree):
    tree.write("big", os.urandom(3 << 20))
    tree.write("empty", b"")
    files = Repository.open(tree.root).files(tree.commit())
    blobs = Repository.open(tree.root).read_blobs([oid for _, oid in files.values()] * 2)
    for path, (_, oid) in files.items():
        assert blobs[oid] == (tree.root / path).read_bytes()


def test_names_that_are_not_utf8(tree):
    name = os.fsdecode(b'caf\xe9 "q"\n\t.txt')
    tree.write(name, "x")
    commit = tree.commit()
    assert name in Repository.open(tree.root).files(commit)


def test_remotes_put_origin_first(tree):
    tree.git("remote", "add", "fork", "/tmp/fork.git")
    tree.git("remote", "add", "origin", "https://example.org/shop.git")
    assert list(Repository.open(tree.root).remotes().items()) == [
        ("origin", "https://example.org/shop.git"),
        ("fork", "/tmp/fork.git"),
    ]


def test_changed_files(tree):
    first = tree.git("rev-parse", "HEAD")
    before = Repository.open(tree.root).files(first)
    tree.write("README", "changed\n")
    (tree.root / "data.bin").unlink()
    tree.write("z/new", "new")
    second = tree.commit()
    opened = Repository.open(tree.root)
    after = opened.files(second)
    assert opened.changed_files(first, second) == (
        ChangedFile("README", before["README"], after["README"]),
        ChangedFile("data.bin", before["data.bin"], None),
        ChangedFile("z/new", None, after["z/new"]),
    )
