import asyncio
import gc

from karkhana.http.loops import SELDOM, collecting_seldom, run


def test_a_program_runs_on_a_loop_of_its_own() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert run(work()) == "done"


def test_cycles_are_looked_for_seldom_and_afterwards_as_before() -> None:
    before = gc.get_threshold()
    with collecting_seldom():
        assert gc.get_threshold() == SELDOM
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
