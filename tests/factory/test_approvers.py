"""Who may approve: never a machine that made the change, and with four eyes not who ordered it."""

import pytest

from karkhana.factory.approvers import self_approval


@pytest.mark.parametrize("name", ["symbolic", "Symbolic ", "karkhana", "worker"])
def test_machines_do_not_approve(name: str) -> None:
    assert self_approval(name, "asha", made_by=["symbolic"], ordered_by="asha", four_eyes=False)
    assert self_approval("ravi", name, made_by=["symbolic"], ordered_by="asha", four_eyes=False)


def test_whoever_ordered_it_may_approve_it_alone_unless_four_eyes_are_wanted() -> None:
    assert self_approval("asha", "asha", made_by=["llm"], ordered_by="asha", four_eyes=False) == ""
    assert "asha ordered it" in self_approval("asha", "asha", made_by=["llm"], ordered_by="asha", four_eyes=True)
    assert self_approval("ravi", "ravi", made_by=["llm"], ordered_by="asha", four_eyes=True) == ""


def test_another_name_on_the_same_account_is_the_same_person() -> None:
    assert self_approval("ravi", "asha", made_by=["llm"], ordered_by="asha", four_eyes=True)


def test_four_eyes_need_to_know_who_ordered() -> None:
    assert self_approval("ravi", "ravi", made_by=["llm"], ordered_by="", four_eyes=True)
