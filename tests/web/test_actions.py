"""What a person does with a run: it goes through the factory's own functions, under their name, and into the audit."""

import re
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from web_support import DIGEST, PORT, as_if, signed_in

from karkhana.domain.access import single_user
from karkhana.domain.tasks import Rewind, Status
from karkhana.domain.understanding import Judgement, Question, Understanding
from karkhana.factory.records import Allowance
from karkhana.factory.understanding import Understander, understood
from karkhana.storage.audit import Audit
from karkhana.storage.outbox import Outbox, Saying, queue
from karkhana.web.app import dashboard


def told(client, path: str, **form: str) -> str:
    answer = client.post(path, data={"csrf": client.form_token} | form)
    assert answer.status_code == 303
    return client.get(answer.headers["location"]).text


def queued(stores) -> list[str]:
    return [task.task_id for task in stores.tasks.list(status=Status.QUEUED)]


def newest(stores):
    return stores.audit.entries(limit=1)[0]


@pytest.fixture
def seen_by(stores, answers):
    """A client of somebody with roles."""
    opened = []

    def made(name: str = "mira", **roles: str):
        client = signed_in(as_if(dashboard(stores, account="asha", port=PORT, answering=answers), name, **roles))
        opened.append(client.__enter__())
        return opened[-1]

    yield made
    for client in opened:
        client.__exit__(None, None, None)


def test_an_ended_run_is_tried_again(client, runs, stores):
    page = told(client, f"/runs/{runs['failed']}/retry")
    (task_id,) = queued(stores)
    assert f"{task_id} stands in the queue" in page
    assert re.search(rf'Tried again as <a href="/runs\?task={task_id}">{task_id}</a>, by asha', page)
    assert stores.tasks.order(task_id).by == "asha"
    entry = newest(stores)
    assert (entry.actor, entry.action, entry.target, entry.product, entry.outcome) == (
        ("asha", "run.retry", runs["failed"], "shop", "done")
    )
    assert entry.details == {"task_id": task_id, "newest": False}


def fields(page: str, place: str) -> dict[str, str]:
    """The hidden fields of one form, as the page has them."""
    form = re.search(rf'<form method="post" action="{place}">(.*?)</form>', page, re.S)[1]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_a_double_click_tries_again_once_and_another_page_once_more(client, runs, stores):
    place = f"/runs/{runs['failed']}/retry"
    sent = fields(client.get(f"/runs/{runs['failed']}").text, place)
    answers = [client.post(place, data=sent).headers["location"] for _ in range(2)]
    assert len(queued(stores)) == 1
    assert answers[0] == answers[1]
    assert "was sent before" in told(client, place, **sent, newest="1")
    assert len(queued(stores)) == 1
    assert [each.action for each in stores.audit.entries()].count("run.retry") == 1
    told(client, place, **fields(client.get(f"/runs/{runs['failed']}").text, place))
    assert len(queued(stores)) == 2


def test_two_clicks_at_the_same_time_try_again_once(client, runs, stores):
    place = f"/runs/{runs['failed']}/retry"
    sent = fields(client.get(f"/runs/{runs['failed']}").text, place)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post(place, data=sent).status_code, range(4)))
    assert answers == [303] * 4
    assert len(queued(stores)) == 1


def test_what_came_to_nothing_may_be_sent_again(client, line, stores):
    run_id = line.paused("Too dear")
    place = f"/runs/{run_id}/resume"
    sent = fields(client.get(f"/runs/{run_id}").text, place)
    assert "Nothing was done" in told(client, place, **sent, usd="many")
    assert "It may go on" in told(client, place, **sent, usd="1.5")
    assert stores.messages.read(run_id, "resume", 1) is None


def test_every_form_that_acts_on_a_run_carries_a_key(client, line, runs):
    acting = {
        f"/runs/{runs['failed']}": ["retry"],
        f"/runs/{runs['running']}": ["cancel"],
        f"/runs/{line.paused('Too dear')}": ["resume", "cancel"],
    }
    for page, actions in acting.items():
        for action in actions:
            assert len(fields(client.get(page).text, f"{page}/{action}")["once"]) >= 16


@pytest.mark.parametrize("action", ["retry", "rewind", "resume", "cancel", "reply", "answer"])
def test_a_server_that_dies_leaves_what_was_done_with_its_entry_or_neither(client, line, runs, answers, action):
    stores = line.stores
    made = {"resume": lambda: line.paused("Too dear"), "reply": lambda: asking(line, stores)}
    kind = {"cancel": "running", "answer": "waiting"}.get(action, "failed")
    run_id = made[action]() if action in made else runs[kind]
    form = {"turn": "1", "turns": "5", "text": "It shows 2", "verdict": "approve", "seen": DIGEST, "once": "x" * 24}

    def left():
        told = [stores.messages.read(run_id, topic) for topic in ("resume", "reply")]
        return queued(stores), told, stores.runs.lease(run_id).cancel_requested, [*answers.given], newest(stores)

    def die(*_told, **_more):
        raise ZeroDivisionError

    stores.audit.record(single_user("asha"), action="session.begin")
    before = left()
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Audit, "record_within", die)
        with pytest.raises(ZeroDivisionError):
            client.post(f"/runs/{run_id}/{action}", data={"csrf": client.form_token} | form)
    assert left() == before
    client.post(f"/runs/{run_id}/{action}", data={"csrf": client.form_token} | form)
    after = left()
    assert after[:-1] != before[:-1]
    assert (after[-1].target, after[-1].outcome) == (run_id, "done")


def asking(line, stores) -> str:
    """A run that waits for an answer."""
    claim = line.begin("The cart is broken")
    task_id = stores.runs.get(claim.run_id).task_id
    question = Question(text="Which?", missing="example", asked_at=0.0, until=4e9, run_id=claim.run_id)
    kept = Understanding(type=Judgement(value="bugfix"), question=question)
    Understander(stores).renew(task_id, "shop", understood("x"), lambda _before: kept)
    return claim.run_id


def test_a_run_under_way_is_not_tried_again_and_has_no_button_for_it(client, runs, stores):
    assert "Try it again" not in client.get(f"/runs/{runs['running']}").text
    assert "has not ended" in told(client, f"/runs/{runs['running']}/retry")
    assert queued(stores) == []
    assert newest(stores).outcome == "refused"


def test_a_run_begins_again_after_an_answer_of_its_model(client, runs, stores):
    trail = client.get(f"/runs/{runs['failed']}/trail").text
    place = re.search(r'href="(/runs/\w+/trail/\d+)#again"', trail)[1]
    form = re.search(r'action="([^"]+/rewind)".*?name="turn" value="(\d+)"', client.get(place).text, re.S)
    told(client, form[1], turn=form[2])
    (task_id,) = queued(stores)
    assert stores.tasks.order(task_id).rewind == Rewind(run_id=runs["failed"], turn=1)
    assert newest(stores).details == {"task_id": task_id, "turn": 1}
    for turn in ("9", "0", "x", ""):
        assert "1 answers of a model" in told(client, form[1], turn=turn)
    assert queued(stores) == [task_id]


def test_a_paused_run_is_let_go_on(client, line, stores):
    run_id = line.paused("Too dear")
    page = client.get(f"/runs/{run_id}").text
    assert "the budget is used up" in page
    assert re.findall(r'<li class="(\w+)">', page) == ["done", "wait", "ahead", "ahead", "ahead", "ahead"]
    assert "Let it go on</button>" in page
    for wrong in ({"usd": "nan"}, {"turns": "-4"}, {"usd": "many"}):
        assert "Nothing was done" in told(client, f"/runs/{run_id}/resume", **wrong)
    assert stores.messages.read(run_id, "resume") is None
    assert "It may go on" in told(client, f"/runs/{run_id}/resume", turns="20", usd="1.5")
    message = stores.messages.read(run_id, "resume")
    assert msgspec.json.decode(message, type=Allowance) == Allowance(turns=20, usd=1.5, by="asha")
    assert newest(stores).details == {"turns": 20, "usd": 1.5}


def test_a_paused_run_can_be_stopped(client, line, stores):
    run_id = line.paused("Too dear")
    assert "Cancel this run" in client.get(f"/runs/{run_id}").text
    told(client, f"/runs/{run_id}/cancel")
    assert stores.runs.lease(run_id).cancel_requested
    assert newest(stores).action == "run.cancel"


@pytest.mark.parametrize("action", ["retry", "rewind", "resume", "cancel", "answer"])
def test_who_may_only_look_finds_no_button_and_is_refused(seen_by, runs, stores, answers, action):
    client = seen_by(shop="viewer")
    for kind in ("failed", "waiting", "running"):
        text = client.get(f"/runs/{runs[kind]}").text
        assert re.findall(rf'<form[^>]*action="/runs/{runs[kind]}/', text) == []
    form = {"verdict": "approve", "seen": DIGEST} if action == "answer" else {"turn": "1"}
    page = told(client, f"/runs/{runs['waiting' if action == 'answer' else 'failed']}/{action}", **form)
    assert re.search("it needs the role (operator|approver) for shop", page)
    assert (answers.given, queued(stores)) == ([], [])
    entry = newest(stores)
    assert (entry.actor, entry.outcome) == ("mira", "refused")


def test_an_operator_does_not_approve_and_an_approver_does(seen_by, runs, answers):
    client = seen_by(shop="operator")
    assert "You cannot decide on this" in client.get("/approvals").text
    form = {"verdict": "approve", "seen": DIGEST}
    assert "it needs the role approver" in told(client, f"/runs/{runs['waiting']}/answer", **form)
    client = seen_by(shop="approver", everything="viewer")
    told(client, f"/runs/{runs['waiting']}/answer", **form)
    ((_, given),) = answers.given
    assert (given["by"], given["account"]) == ("mira", "mira")


def test_another_products_run_does_not_exist(seen_by, runs, stores):
    client = seen_by(bank="admin")
    run_id = runs["failed"]
    paths = ("", "/changes", "/trail", "/trail/1", "/patch", "/verify", "/live", "/evidence", "/confidence", "/cost")
    for path in paths:
        assert client.get(f"/runs/{run_id}{path}").status_code == 404, path
    for action in ("retry", "rewind", "resume", "cancel", "answer"):
        answer = client.post(f"/runs/{run_id}/{action}", data={"csrf": client.form_token})
        assert answer.status_code == 404, action
    for path in ("/", "/runs", "/approvals", "/jump?q=heavy", "/jump?q=run_"):
        text = client.get(path).text
        assert "heavy" not in text.replace("q=heavy", "").replace("“heavy”", ""), path
        assert "run_0" not in text, path
    with stores.database.writing() as connection:
        queue(connection, 0.0, Saying(text="done"), door="forge", reference="octo/shop#7", task_id="BUILD-1")
    outbox = Outbox(stores.database)
    outbox.dead(outbox.due()[0], "gone")
    text = client.get("/").text
    assert re.findall(r'<span class="big ?\w*">(\d+)</span>', text) == ["0", "0", "0", "0"]
    assert "Budgets" not in text
    assert "could not be sent" not in text


def test_one_product_of_several_is_chosen_for_all_pages(client, line):
    line.waiting("In the shop")
    line.stores.tasks.add_and_claim(
        line.stores.tasks.order(line.stores.tasks.list()[0].task_id), "w", 60.0, product="bank", title="In the bank"
    )
    assert 'name="product"' in client.get("/help").text
    answer = client.post("/product", data={"csrf": client.form_token, "product": "bank", "back": "/runs"})
    assert answer.headers["location"] == "/runs"
    for path in ("/", "/runs", "/approvals"):
        assert "In the shop" not in client.get(path).text, path
    text = client.get("/runs").text
    assert "In the bank" in text
    assert "only bank" in text
    client.post("/product", data={"csrf": client.form_token, "back": "//evil.example"})
    assert "In the shop" in client.get("/runs").text
    assert "In the shop" in client.get("/approvals?product=shop").text
    assert "In the shop" not in client.get("/approvals?product=bank").text


def test_who_has_waited_longest_comes_first(client, line):
    made = [line.waiting(f"ticket {n}") for n in range(3)]
    assert re.findall(r'<article[^>]*aria-labelledby="title-(\w+)"', client.get("/approvals").text) == made


def test_the_card_says_when_the_question_ends_and_closes_then(client, line):
    claim = line.begin("Old")
    line.build(claim)
    line.hand_over(claim)
    line.ask(claim, until=4_000_000_000.0)
    text = client.get("/approvals").text
    assert re.search(r'its run ends <time datetime="2096-10-02', text)
    late = line.begin("Older")
    line.build(late)
    line.hand_over(late)
    line.ask(late, until=1_700_000_000.0)
    text = client.get(f"/runs/{late.run_id}").text
    assert "the question has expired" in text
    assert len(re.findall(r'<button class="(?:approve|reject)" name="verdict"[^>]*disabled', text)) == 2
