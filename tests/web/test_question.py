"""What was understood of a ticket on its run's page and in the API, and the answer to its question."""

import time

import pytest

from karkhana.domain.understanding import Concern, Criterion, Judgement, Question, Suggestion, Understanding
from karkhana.factory.records import REPLY
from karkhana.factory.understanding import Understander, understood

QUESTION = "Which call goes wrong?"


@pytest.fixture
def asked(stores, line):
    """A run that waits for an answer, and its task."""
    claim = line.begin("The cart <b>is</b> broken")
    task = stores.runs.get(claim.run_id).task_id
    kept = Understanding(
        type=Judgement(value="bugfix", confidence=0.8, because=("broken",)),
        concerns=(Concern(path="cart.py", confidence=0.45, because=("defines Cart",)),),
        duplicates=(Suggestion(task_id="BUILD-1", title="<i>Cart</i>", likeness=0.9, because=("cart",)),),
        criteria=(Criterion(text="`f(1)` gives `<u>`"),),
        question=Question(
            text=QUESTION, missing="observation", asked_at=time.time(), until=time.time() + 60, run_id=claim.run_id
        ),
    )
    Understander(stores).renew(task, "shop", understood("x"), lambda _before: kept)
    return claim.run_id, task


def test_the_run_page_asks_and_takes_the_answer(client, stores, asked):
    run_id, _ = asked
    page = client.get(f"/runs/{run_id}").text
    assert QUESTION in page
    assert "This ticket waits for an answer" in page
    assert "&lt;i&gt;Cart&lt;/i&gt;" in page
    assert "<i>Cart" not in page
    answer = client.post(f"/runs/{run_id}/reply", data={"csrf": client.form_token, "text": "It shows 3, not 4"})
    assert answer.status_code == 303
    assert '"It shows 3, not 4"' in stores.messages.read(run_id, REPLY)
    entry = stores.audit.entries(limit=1)[0]
    assert (entry.actor, entry.action, entry.outcome) == ("asha", "ticket.answer", "done")
    again = client.post(f"/runs/{run_id}/reply", data={"csrf": client.form_token, "text": "more"})
    assert "was answered already, by asha" in client.get(again.headers["location"]).text
    assert stores.messages.read(run_id, REPLY, 1) is None


def test_a_run_of_which_nothing_was_kept_has_no_section(client, runs):
    assert "What was understood" not in client.get(f"/runs/{runs['delivered']}").text
