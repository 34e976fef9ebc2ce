import pytest
from hypothesis import given
from hypothesis import strategies as st

from karkhana.domain.chat import Reasoning, Text, ToolCall
from karkhana.routing.wires import seals
from karkhana.routing.wires.registry import WIRES
from karkhana.routing.wires.seals import before_call, own, packed, sealed, shown, unpacked, with_proofs

wires = st.sampled_from(sorted(WIRES))
proofs = st.text("abcXYZ019+/=_-", min_size=1, max_size=12)


def test_all_wires_are_known() -> None:
    assert set(seals.WIRES) == set(WIRES)


@given(proof=proofs, home=wires, away=wires)
def test_a_proof_finds_its_way_home_over_any_wire(proof: str, home: str, away: str) -> None:
    common = sealed(proof, home)
    returned = sealed(shown(common, away), away)
    assert returned == common
    assert own(returned, home) == proof
    assert (own(returned, away) == "") is (home != away)


@given(proof=proofs, home=wires, text=st.text(max_size=5))
def test_proof_and_hidden_reasoning_share_one_place(proof: str, home: str, text: str) -> None:
    common = sealed(proof, home)
    for reasoning in (Reasoning(text=text, signature=common), Reasoning(text=text, hidden=common)):
        assert unpacked(text, packed(reasoning)) == reasoning


@pytest.mark.parametrize("wire", WIRES)
def test_no_proof_stays_none(wire: str) -> None:
    assert sealed("", wire) == shown("", wire) == own("", wire) == ""


def test_a_calls_proof_can_stand_before_it() -> None:
    call = ToolCall(id="a", name="b", arguments="", signature="gemini:UFJPT0Y=")
    bare = ToolCall(id="a", name="b", arguments="")
    assert before_call(call) == Reasoning(signature="gemini:UFJPT0Y=")
    assert before_call(bare) is before_call(Text(text="x", signature="gemini:UFJPT0Y=")) is None
    assert with_proofs([Reasoning(signature="gemini:UFJPT0Y="), bare, bare]) == [call, bare]
    for apart in (Reasoning(text="hm", signature="gemini:UFJPT0Y="), Reasoning(signature="openai_responses:rs:x")):
        assert with_proofs([apart, bare]) == [apart, bare]
