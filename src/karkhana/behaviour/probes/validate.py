"""Which of many candidate changes make the failing tests pass and break nothing?

Job::

    {"pytest": [arguments], "tests": [names in their order], "limits": [CPU seconds of each],
     "targets": [{"path", "name", "classes", "top", "start", "text", "failing": [test numbers],
                  "passing": [test numbers]}],
     "candidates": [[target, [[start, end, replacement], …], fresh], …],
     "batch": candidates per child, "seconds": CPU budget, "wall_seconds": wall-clock budget,
     "beyond": [candidates to go on for when this one is the first hit], "beyond_seconds": CPU seconds for those,
     "ordered": run the tests in their own order instead of the failing ones first}

A target whose ``name`` is empty is a whole file; its candidates, and those marked ``fresh``, run in a new
interpreter state (collected again with the changed file), all others by swapping code into live functions.

Answers: ``{"from": n, "status": "ffp…"}`` lines, one letter per candidate: ``p`` passes, confirmed in a fresh
child in the original order; ``u`` passed but was not confirmed; ``f`` fails; ``n`` fails, but a failing test
turned green; ``t`` out of time; ``c`` ended its process; ``d`` same program as an earlier one; ``s`` is no program;
``x`` could not be tried. The last line is ``{"seconds": CPU, "start": CPU until the first was tried, "tried": n}``.
"""

from __future__ import annotations

import gc
import mmap
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .forks import DONE, STALLED, Send, cpu_seconds, forked
from .fresh import edited_file, overlay
from .state import ModuleState, TooMuchState
from .swap import LiveFunctions, Target, Unswappable, fingerprint, live_functions
from .takeover import Runner, take_over
from .zygote import foreign_modules, import_all, warm_pytest

Emit = Callable[[dict[str, Any]], None]
_LONGER = 8.0
"""A candidate that turns a failing test green gets so many times the limit: a right fix may be slower."""
_LATE = 3
"""Tests that such a candidate may be late with, while the others decide whether it is worth waiting for."""
_LETTERS = "pufntcdsx"
_SIGN_S = 0.05
"""How often a child shows that it is alive."""
_SEVERAL = 2
"""Candidates in need of a new interpreter state, from which on it pays to start pytest for all of them."""
_FRESH_RIVALS = 24
"""Candidates in need of a new interpreter state that are tried after the first of them passed."""
_PATIENCE, _PATIENCE_S, _AT_ONCE = 0.3, 24.0, 0.15
"""Waiting for late tests may cost a share of the budget, and so many CPU seconds, altogether; and a share of that for
each."""


def main(job: dict[str, Any], emit: Emit) -> None:
    root = str(Path.cwd().resolve())
    campaign = Campaign(job, root, emit)
    swapped = [n for n, c in enumerate(job["candidates"]) if not campaign.needs_fresh(c)]
    if swapped:
        # In a child, so that this process stays without any module of the repository for the fresh ones.
        forked(lambda send: campaign.swap(swapped, send), campaign.receive, job["seconds"] * 4 + 60)
    campaign.prepare_fresh()
    for number in range(len(job["candidates"])):
        if campaign.status[number] == "-" and campaign.worth_fresh(number):
            campaign.fresh(number)
    campaign.finish()


class Campaign:
    """The state of one job: what is known of each candidate, and when to stop."""

    def __init__(self, job: dict[str, Any], root: str, emit: Emit) -> None:
        self.job = job
        self.root = root
        self.emit = emit
        self.targets = [Target(root, t) if t["name"] else None for t in job["targets"]]
        self.status = ["-"] * len(job["candidates"])
        self.first_hit: int | None = None
        self._libraries = False
        self._rivals = 0
        """Candidates that were tried in a new interpreter state after the first that passed there."""
        self._programs: set[Any] = set()
        """Files that were tried in a new interpreter state, as compiled programs."""
        self.start = 0.0
        self.tried = 0
        self.batch = int(job["batch"])
        self.patience = min(_PATIENCE_S, _PATIENCE * job["seconds"])
        self.wait = _AT_ONCE * self.patience
        self._cpu = cpu_seconds()
        self._hit_at: float | None = None
        self._deadline = time.monotonic() + job["wall_seconds"]
        self._told_at = time.monotonic()
        self._untold: list[int] = []
        self._send: Send | None = None
        self._settled: list[tuple[int, str]] = []

    def needs_fresh(self, candidate: list[Any]) -> bool:
        return bool(candidate[2]) or self.targets[candidate[0]] is None

    def going_on(self, number: int) -> bool:
        spent = cpu_seconds() - self._cpu
        if spent > self.job["seconds"] or time.monotonic() > self._deadline:
            return False
        if self._hit_at is not None and spent > self._hit_at + max(self.job["beyond_seconds"], self._hit_at):
            return False
        return self.first_hit is None or number <= self.first_hit + self.job["beyond"][self.first_hit]

    def worth_fresh(self, number: int) -> bool:
        """Fresh candidates are dear: none as rivals of one that was swapped in, and few as those of a fresh one."""
        if self.first_hit is None:
            return self.going_on(number)
        if not self.needs_fresh(self.job["candidates"][self.first_hit]) or self._rivals >= _FRESH_RIVALS:
            return False
        self._rivals += 1
        return self.going_on(number)

    def receive(self, told: Any) -> None:
        """What the child that swaps code tells: its start, or a candidate and its status."""
        if isinstance(told, dict):
            self.start = float(told["start"])
        else:
            for number, status in told:
                self.settle(number, status)

    def settle(self, number: int, status: str) -> None:
        self.status[number] = status
        if self._send is not None:
            self._settled.append((number, status))
        else:
            self._tell(number)
        if status not in "dsx":
            self.tried += 1
        if status == "p":
            if self._hit_at is None:
                self._hit_at = cpu_seconds() - self._cpu
            self.first_hit = number if self.first_hit is None else min(number, self.first_hit)

    def _pass_on(self) -> None:
        """Tell the parent of this process, which keeps the account, what has been settled."""
        if self._send is not None and self._settled:
            self._send(self._settled)
            self._settled = []

    def _tell(self, number: int) -> None:
        """Answer about once a second, so that little is lost when this process is ended from outside."""
        self._untold.append(number)
        if time.monotonic() - self._told_at > 1.0:
            first, last = min(self._untold), max(self._untold)
            self.emit({"from": first, "status": "".join(self.status[first : last + 1])})
            self._told_at = time.monotonic()
            self._untold = []

    def finish(self) -> None:
        self.emit({"from": 0, "status": "".join(self.status)})
        self.emit({"seconds": cpu_seconds() - self._cpu, "start": self.start, "tried": self.tried})

    def order(self, target: int) -> tuple[list[int], set[int]]:
        """The tests to run for a candidate of ``target``, and which of them fail before the change."""
        data = self.job["targets"][target]
        failing = set(data["failing"])
        if self.job["ordered"]:
            return sorted(failing | set(data["passing"])), failing
        return [*data["failing"], *data["passing"]], failing

    def limit(self, test: int) -> float:
        return float(self.job["limits"][test])

    def idle_s(self, target: int) -> float:
        tests, _ = self.order(target)
        return 5.0 + 4.0 * _LONGER * max((self.limit(t) for t in tests), default=0.0)

    # -- live swap ---------------------------------------------------------------------------------------------

    def swap(self, numbers: list[int], send: Send) -> None:
        """Collect once and try all ``numbers`` on live functions."""
        self._send = send
        take_over(self.job["pytest"], lambda session: self.swap_all(session, numbers))

    def swap_all(self, session: pytest.Session, numbers: list[int]) -> None:
        runner = Runner(session)
        missing = [n for n in self.job["tests"] if n not in runner.items]
        if missing:
            return
        gc.collect()
        functions = live_functions(self.root)
        # Before the first freeze, which hides objects from the collector's lists.
        self._state = ModuleState(self.root)
        if self._send is not None:
            self._send({"start": cpu_seconds()})
        live: dict[int, LiveFunctions] = {}
        seen: set[Any] = set()
        ready: list[tuple[int, Any]] = []
        queue = iter(numbers)
        exhausted = False
        while not exhausted or ready:
            while len(ready) < self.batch and not exhausted:
                number = next(queue, None)
                if number is None or not self.going_on(number):
                    exhausted = True
                    break
                code = self._compiled(number, live, functions, seen)
                if code is not None:
                    ready.append((number, code))
            if ready:
                ready = self._run_batch(runner, live, ready)
        self._pass_on()
        gc.unfreeze()

    def _compiled(self, number: int, live: dict[int, LiveFunctions], functions: Any, seen: set[Any]) -> Any:
        index, edits, _ = self.job["candidates"][number]
        target = self.targets[index]
        assert target is not None
        if index not in live:
            try:
                live[index] = LiveFunctions(target, functions.get(target.path, []))
            except Unswappable:
                return None
            seen.add((index, fingerprint(live[index].original)))
        try:
            code = target.compile(target.edited(edits))
        except (SyntaxError, ValueError, StopIteration, RecursionError, MemoryError, OverflowError):
            self.settle(number, "s")
            return None
        key = (index, fingerprint(code))
        if key in seen:
            self.settle(number, "d")
            return None
        seen.add(key)
        return code

    def _run_batch(self, runner: Runner, live: dict[int, LiveFunctions], ready: list[Any]) -> list[Any]:
        """Run candidates in one child; returns those that another child must take on."""
        gc.freeze()
        large: list[Any] = []
        # Shared with the child: waking the parent for each candidate would cost more than running it.
        board = mmap.mmap(-1, len(ready))
        idle = max(self.idle_s(self.job["candidates"][number][0]) for number, _ in ready)
        state = forked(lambda send: self._child(runner, live, ready, board, send), large.append, idle)
        if any(large):
            self.batch = 1
        answered = bytes(board).rstrip(b"\0").decode("ascii", "replace")
        for position, status in enumerate(answered):
            number = ready[position][0]
            final = self._confirm(runner, live, ready[position], patient=status == "w") if status in "pw" else status
            if final != "x":
                self.settle(number, final if final in _LETTERS else "c")
        done = len(answered)
        if state != DONE and done < len(ready):
            self.settle(ready[done][0], "t" if state == STALLED else "c")
            done += 1
        self._pass_on()
        return ready[done:]

    def _child(
        self, runner: Runner, live: dict[int, LiveFunctions], ready: list[Any], board: mmap.mmap, send: Send
    ) -> None:
        told_at = time.monotonic()
        state = self._state
        before: int | None = None
        if self.batch > 1:
            try:
                before = state.fingerprint()
            except TooMuchState:
                send(True)
        for position, (number, code) in enumerate(ready):
            index = self.job["candidates"][number][0]
            functions = live[index]
            state.clear_caches()
            try:
                functions.install(code)
            except Unswappable:
                board[position] = ord("x")
                continue
            status = self._try(runner, index)
            functions.restore()
            board[position] = ord(status)
            if time.monotonic() - told_at > _SIGN_S:
                send(False)
                told_at = time.monotonic()
            if before is None or _changed(state, before):
                return

    def _try(self, runner: Runner, index: int, stretch: float = 1.0) -> str:
        """One letter; ``w`` for a candidate that turns a test green and is only late with some others."""
        tests, failing = self.order(index)
        names = self.job["tests"]
        turned_green = False
        late = 0
        for test in tests:
            scale = max(stretch, _LONGER if turned_green else 1.0)
            verdict = runner.run(names[test], self.limit(test) * scale)
            if verdict.outcome == "timeout":
                if not turned_green:
                    return "t"
                late += 1
                # Slow rivals of one that passes are not worth waiting for.
                if late > _LATE or self.first_hit is not None:
                    return "n"
                continue
            if verdict.outcome != "passed" and not (verdict.outcome == "skipped" and test not in failing):
                return "n" if turned_green else "f"
            turned_green = turned_green or test in failing
        return "w" if late else "p"

    def _confirm(self, runner: Runner, live: dict[int, LiveFunctions], ready: tuple[int, Any], *, patient: bool) -> str:
        """Once more in a child of its own, in the original order of the tests; ``patient``: wait for late ones."""
        number, code = ready
        if patient and (self.patience <= 0 or self.first_hit is not None):
            return "t"
        least = self.wait if patient else 0.0
        started = cpu_seconds()
        index = self.job["candidates"][number][0]
        names = self.job["tests"]
        found: list[bool] = []

        def work(send: Send) -> None:
            self._state.clear_caches()
            live[index].install(code)
            data = self.job["targets"][index]
            for test in sorted({*data["failing"], *data["passing"]}):
                verdict = runner.run(names[test], max(least, self.limit(test) * _LONGER))
                if verdict.outcome not in ("passed", "skipped"):
                    send(False)
                    return
            send(True)

        forked(work, found.append, self.idle_s(index) + 8 * least)
        if patient:
            self.patience -= cpu_seconds() - started
        if found == [True]:
            return "p"
        return "t" if patient else "u"

    # -- fresh interpreter state -------------------------------------------------------------------------------

    def prepare_fresh(self) -> None:
        """Start pytest once for all candidates that need a new interpreter state, when there are several."""
        waiting = [n for n, s in enumerate(self.status) if s == "-"]
        if len(waiting) >= _SEVERAL and self.first_hit is None and self.going_on(waiting[0]):
            warm_pytest()

    def fresh(self, number: int) -> None:
        """Collect again, with the changed file in place of the one on disk, in a child of its own."""
        index, edits, _ = self.job["candidates"][number]
        path, text = edited_file(self.root, self.job["targets"][index], edits)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = (path, fingerprint(compile(text, path, "exec", dont_inherit=True)))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            self.settle(number, "s")
            return
        if program in self._programs:
            self.settle(number, "d")
            return
        self._programs.add(program)
        found: list[str] = []

        def receive(told: Any) -> None:
            if isinstance(told, list):
                import_all(told)
                self._libraries = True
            else:
                found.append(told)

        def work(send: Send) -> None:
            overlay(self.root, path, text)

            def run(session: pytest.Session) -> None:
                if not self._libraries:
                    send(foreign_modules(self.root))
                runner = Runner(session)
                if all(name in runner.items for name in self.job["tests"]):
                    status = self._try(runner, index)
                    if status == "w":
                        status = self._try(runner, index, stretch=_LONGER * _LONGER)
                    send("t" if status == "w" else status)
                else:
                    send("f")

            take_over(self.job["pytest"], run)

        state = forked(work, receive, self.idle_s(index) + 20.0)
        self.settle(number, found[0] if found else ("t" if state == STALLED else "c"))


def _changed(state: ModuleState, before: int) -> bool:
    try:
        return state.fingerprint() != before
    except TooMuchState:
        return True
