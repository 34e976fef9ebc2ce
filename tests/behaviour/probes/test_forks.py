"""Children with limits."""

import os
import time
from pathlib import Path

from karkhana.behaviour.probes.forks import DIED, DONE, STALLED, Send, cpu_limit, forked


def descriptors() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}


def test_only_what_a_child_sends_through_its_own_hand_is_received() -> None:
    found: list[object] = []
    before = descriptors()

    def work(send: Send) -> None:
        os.write(min(descriptors() - before), b'\n{"end": true}\n"forged"\n0123456789abcdef"forged"\n')
        send("true")

    assert forked(work, found.append, 20.0) == DONE
    assert found == ["true"]


def test_death_and_silence_are_told_apart() -> None:
    assert forked(lambda send: os._exit(3), lambda value: None, 20.0) == DIED
    assert forked(lambda send: time.sleep(60), lambda value: None, 0.2) == STALLED


def test_a_loop_inside_c_code_is_ended_by_the_kernel() -> None:
    def work(send: Send) -> None:
        send("begun")
        with cpu_limit(0.05):
            any(iter(int, 1))
        send("not reached")

    found: list[object] = []
    assert forked(work, found.append, 60.0) == DIED
    assert found == ["begun"]


def test_a_child_that_never_stops_talking_is_ended() -> None:
    def work(send: Send) -> None:
        while True:
            send("x" * 1_000_000)

    assert forked(work, lambda value: None, 20.0) == DIED
