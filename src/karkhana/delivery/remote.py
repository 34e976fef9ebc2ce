"""Pushes one commit to one branch of a remote, without ever moving a branch that is there already.

The user's credentials and configuration apply; hooks of the user's repository do not, and nothing asks a
question. Knows nothing of changes or of which branch name is wanted.
"""

import contextlib
import os
import re
import signal
import subprocess

import msgspec

from karkhana.delivery.text import clean
from karkhana.domain.errors import DeliveryFailed
from karkhana.git.repository import Repository

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "push.gpgSign=false",
    "protocol.ext.allow=never",
    "gc.auto=0",
)
_OWN = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        *("GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_CONFIG_PARAMETERS", "GIT_QUARANTINE_PATH"),
    }
)
"""Variables that would point git at another repository than the one it is told."""
_AUTH = re.compile(
    r"(?i)authentication failed|could not read (username|password)|terminal prompts disabled|permission denied"
    r"|invalid credentials|returned error: 40[13]|access denied|host key verification failed"
)
_TAKEN = re.compile(r"(?i)stale info|non-fast-forward|fetch first|already exists|reference already exists")


class BranchTaken(DeliveryFailed):
    """The remote has a branch of this name that holds something else."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A remote of a repository, by name."""

    repository: Repository
    name: str
    timeout_s: float = 120.0

    def branch(self, branch: str) -> str | None:
        """The commit that the remote's branch is at; ``None`` when there is none. Raises ``DeliveryFailed``."""
        ref = f"refs/heads/{branch}"
        answer = self._git("ls-remote", "--refs", "--", self.name, ref)
        for line in answer.stdout.decode("utf-8", "surrogateescape").splitlines():
            oid, _, name = line.partition("\t")
            if name == ref:
                return oid
        return None

    def push(self, commit: str, branch: str) -> None:
        """Create the branch at ``commit``; a branch that is there must be at it already.

        Raises ``BranchTaken`` when it holds something else, ``DeliveryFailed`` when the remote refuses or cannot
        be reached.
        """
        ref = f"refs/heads/{branch}"
        lease = f"--force-with-lease={ref}:"  # an empty expectation: the branch must not exist
        try:
            self._git("push", "--porcelain", "--no-verify", "--no-signed", lease, "--", self.name, f"{commit}:{ref}")
        except BranchTaken:
            if self.branch(branch) != commit:
                raise

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = ["git", f"--git-dir={self.repository.git_dir}"]
        for setting in _SETTINGS:
            command += ["-c", setting]
        command += arguments
        result = _run(command, cwd=str(self.repository.git_dir), timeout_s=self.timeout_s, remote=self.name)
        if result.returncode != 0:
            raise self._failure(result.stdout + b"\n" + result.stderr)
        return result

    def _failure(self, output: bytes) -> DeliveryFailed:
        said = _readable(output)
        reason = _reason(said)
        if _TAKEN.search(reason):
            return BranchTaken(
                f"the remote {self.name} has this branch with other content", "delete or rename it there"
            )
        if "remote rejected" in reason or "pre-receive" in reason:
            return DeliveryFailed(
                f"the remote {self.name} rejected the branch: {reason}",
                "the branch is in your repository; satisfy the remote's rule and push it, or change the rule",
            )
        if _AUTH.search(said):
            return DeliveryFailed(
                f"the remote {self.name} did not accept the credentials: {reason}",
                f"check that this works without a prompt: git ls-remote {self.name}",
            )
        return DeliveryFailed(
            f"the remote {self.name} cannot be reached: {reason}",
            f"check its address and the network: git ls-remote {self.name}; then deliver again",
        )


def _run(command: list[str], *, cwd: str, timeout_s: float, remote: str) -> subprocess.CompletedProcess[bytes]:
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise DeliveryFailed(
            f"the remote {remote} did not answer within {timeout_s:.0f} s",
            f"check that this works without a prompt: git ls-remote {remote}; then deliver again",
        ) from error
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _environment() -> dict[str, str]:
    environment = {k: v for k, v in os.environ.items() if k not in _OWN}
    environment |= {
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
        "LC_ALL": "C",
    }
    return environment


def _readable(output: bytes) -> str:
    text = clean(output[-8000:].decode("utf-8", "replace"))
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)  # user names and tokens in addresses


def _reason(said: str) -> str:
    """The one line that says most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    refused = [line.split("\t")[-1] for line in lines if line.startswith("!")]
    told = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    failed = [line for line in lines if line.startswith(("fatal:", "error:"))]
    best = refused or failed or lines[-1:] or ["no reason given"]
    return best[0][:300] + (f" ({' '.join(t for t in told if t)[:300]})" if told and refused else "")
