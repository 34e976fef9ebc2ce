"""The dashboard in a real browser: no accessibility violation, no error, nothing from elsewhere; by mouse and by keys.

One server and one browser for all of it; the deciding run goes through the real line.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright
from web_support import Line, asked_models, made_past

from karkhana.domain import events as ev
from karkhana.domain.access import Role
from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.tasks import Status
from karkhana.factory.configuration import load_settings
from karkhana.factory.stores import Stores, open_stores
from karkhana.http.server import Limits, listen, serve, server
from karkhana.storage.run_lists import RunFilter
from karkhana.web.app import dashboard

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run --disable-quic --disable-dev-shm-usage"
)
# A busy machine is no fault of the page.
PATIENCE_MS = 120_000
expect.set_options(timeout=20_000)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules among them that may find something else in the other theme."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() and os.environ.get("CI") != "true", reason="needs the Debian package chromium"
    ),
    # playwright's own event loop is not closed before the interpreter's end
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class House:
    """A served dashboard with runs in every state."""

    stores: Stores
    line: Line
    runs: dict[str, str]
    address: str = ""
    site: Any = None
    given: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, run_id: str, **told: Any) -> Any:
        """As the line would: the answer stands in the trail, and the run ends."""
        self.given.append((run_id, told))
        claim = self.stores.runs.take_over(run_id, "dashboard", 60.0)
        approved = ev.ApprovalGiven(approved=told["approved"], by=told["by"], comment=told["comment"])
        status = Status.DELIVERED if told["approved"] else Status.REJECTED
        self.line.record(claim, approved, ev.RunFinished(status=status, reason="as a person said"))
        self.stores.runs.finish(run_id, claim.epoch, status, b"{}", engineer="symbolic")
        return msgspec.defstruct("Result", [("status", str), ("branch", str | None)])(status.value, None)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("browser")
    settings = msgspec.structs.replace(
        load_settings({}), home=folder / "home", database_url=None, secrets_key_file=folder / "secrets.key"
    )
    with open_stores(settings) as stores:
        line = Line(stores, folder)
        for name in ("nightly", "a token with a long name, as somebody in a hurry would give it"):
            token, _ = stores.tokens.create(name, {"*": Role.VIEWER, "shop": Role.OPERATOR}, seconds=600, owner="asha")
        stores.tokens.revoke(token.token_id)
        stores.sealed.put("slack-token", "correct horse", by="asha")
        made_past(stores, 16)
        asked_models(stores)
        runs = {
            "delivered": line.delivered("Prices are added twice"),
            "failed": line.failed("The parcel is too heavy " + "and its name is long " * 6),
            "running": line.running("Sum the parcels of a customer").run_id,
            "paused": line.paused("Old orders are imported too slowly"),
            "waiting": line.waiting("<img src=x onerror=alert(1)> is shown"),
            "second": line.waiting("Round to paise"),
        }
        made = House(stores, line, runs)
        with served(made):
            yield made


class Serving:
    """A server in a thread of its own."""

    def __init__(self, house: House, *, team: bool = False) -> None:
        listening = listen("127.0.0.1", 0)
        port = listening.getsockname()[1]
        house.address = f"http://127.0.0.1:{port}"
        if team:
            public = f"https://127.0.0.1:{port}"
            access = AccessSettings(mode="team", public_url=public, issuer="http://127.0.0.1:9", client_id="karkhana")
            settings = msgspec.structs.replace(house.stores.settings, access=access)
            house.stores = replace(house.stores, settings=settings)
        app = dashboard(house.stores, account="asha", port=port, answering=house.answer)
        house.site = app.state.site
        self._made = server(app, Limits(), stop_s=2.0, cancelling=True)
        self._ready = threading.Event()
        self._hub = house.site.hub
        self._thread = threading.Thread(target=lambda: asyncio.run(serve(self._made, listening, self._ready.set)))

    def __enter__(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def __exit__(self, *_: object) -> None:
        self._made.should_exit = True
        self._thread.join(30)


served = Serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser, house: House) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    session_id = house.site.doors.enter(house.site.doors.link())
    opened.add_cookies([{"name": house.site.cookie, "value": session_id, "url": house.address}])
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, house: House) -> Iterator[Page]:
    """A page that may make no error, and ask nobody else for anything."""
    opened, wrong = context.new_page(), []
    opened.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
    opened.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(house.address) else None)
    yield opened
    opened.close()
    assert wrong == []


def screens(house: House) -> dict[str, str]:
    found = {"now": "/", "runs": "/runs", "none": "/runs?status=canary", "approvals": "/approvals", "help": "/help"}
    found |= {f"{kind}": f"/runs/{run}" for kind, run in house.runs.items()}
    for tab in ("trail", "evidence", "confidence", "cost"):
        found[tab] = f"/runs/{house.runs['delivered']}/{tab}"
    failed = house.runs["failed"]
    answered = next(e.seq for e in house.stores.events.entries(failed) if e.type == "model.answered")
    found |= {"quality": "/quality", "failures of changes": "/quality/failures", "learning": "/quality/learning"}
    found |= {"access": "/access", "router": "/router", "audit": "/audit", "rewind": f"/runs/{failed}/trail/{answered}"}
    return found | {
        "failures": f"/runs/{failed}/trail?failed=1",
        "event": f"/runs/{failed}/trail/1",
        "verify": f"/runs/{failed}/verify",
        "jump": "/jump?q=a",
    }


def violations(page: Page, rules: Any = WCAG) -> dict[str, str]:
    """Rule → the first element that breaks it."""
    result = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
    return {each["id"]: each["nodes"][0]["html"] for each in result.response["violations"]}


def violations_of_both_themes(page: Page) -> dict[str, str]:
    page.emulate_media(color_scheme="dark")
    dark = violations(page, COLOURS)
    page.emulate_media(color_scheme="light")
    return violations(page) | {f"{rule} when dark": html for rule, html in dark.items()}


def test_every_page_is_accessible_and_fits_a_telephone(page: Page, house: House) -> None:
    found = {}
    for name, path in screens(house).items():
        page.goto(house.address + path)
        if name == "access":
            page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        found |= {(name, rule): html for rule, html in violations_of_both_themes(page).items()}
        page.set_viewport_size({"width": 360, "height": 740})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found[name, "wider than the screen"] = path
        page.set_viewport_size({"width": 1280, "height": 900})
    assert found == {}


def queued(house: House) -> list[str]:
    return [task.task_id for task in house.stores.tasks.list(status=Status.QUEUED)]


def test_a_run_is_tried_again_and_begun_again_by_keys(page: Page, house: House) -> None:
    before = queued(house)
    page.goto(f"{house.address}/runs/{house.runs['failed']}")
    page.get_by_role("button", name="Try it again").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("stands in the queue")
    page.goto(f"{house.address}/runs/{house.runs['failed']}/trail")
    page.get_by_role("link", name="begin again from here").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Begin again after answer 1").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("stands in the queue")
    expect(page.locator(".run-head")).to_contain_text("from answer 1 on, by asha")
    new = [task_id for task_id in queued(house) if task_id not in before]
    rewinds = [house.stores.tasks.order(task_id).rewind for task_id in new]
    assert [rewind and (rewind.run_id, rewind.turn) for rewind in rewinds] == [None, (house.runs["failed"], 1)]


def test_a_paused_run_is_let_go_on_and_the_audit_tells_it(page: Page, house: House) -> None:
    page.goto(house.address + "/approvals")
    page.get_by_role("article").filter(has_text="imported too slowly").get_by_role("link", name="Let it go on").click()
    page.get_by_label("Tool calls more").fill("25")
    page.get_by_label("Dollars more").fill("1.25")
    page.get_by_role("button", name="Let it go on").click()
    expect(page.get_by_role("status")).to_contain_text("It may go on")
    page.get_by_role("link", name="what people did with it").click()
    row = page.get_by_role("row").filter(has_text="run.resume")
    expect(row).to_contain_text("turns: 25, usd: 1.25")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All is as it was written")
    assert violations(page) == {}


def test_a_team_finds_an_accessible_way_in(browser: Browser, house: House) -> None:
    team = House(house.stores, house.line, {})
    with Serving(team, team=True), contextlib.closing(browser.new_context()) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        for path, told in (
            ("/runs?status=failed", ""),
            ("/signin/done", "begun elsewhere"),
            ("/signin", "sign in now"),
        ):
            page.goto(team.address + path)
            assert violations_of_both_themes(page) == {}, path
            page.set_viewport_size({"width": 360, "height": 740})
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
            if told:
                expect(page.locator(".reason")).to_contain_text(told)
            else:
                back = {"back": path}
                expect(page.get_by_role("link", name="Sign in")).to_have_attribute("href", f"/signin?{urlencode(back)}")


def test_a_token_is_made_by_keys_and_ended_without_scripts(page: Page, browser: Browser, house: House) -> None:
    page.goto(house.address + "/access")
    page.get_by_role("form", name="New token").get_by_label("Name").fill("by-keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The new token by-keys")).to_be_visible()
    secret = page.locator(".secret").inner_text()
    assert secret not in page.url
    assert house.stores.tokens.opened_by(secret) is not None
    assert violations(page) == {}
    page.set_viewport_size({"width": 360, "height": 740})
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    session_id = house.site.doors.enter(house.site.doors.link())
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    with contextlib.closing(context):
        context.add_cookies([{"name": house.site.cookie, "value": session_id, "url": house.address}])
        plain = context.new_page()
        plain.goto(house.address + "/access")
        plain.locator("summary", has_text="Revoke by-keys").click()
        plain.get_by_role("button", name="Revoke by-keys now").click()
        expect(plain.get_by_role("status")).to_contain_text("by-keys opens nothing any more")
    assert house.stores.tokens.opened_by(secret) is None


def test_the_dark_theme_can_be_chosen(page: Page, house: House) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(house.address + "/help")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.locator(".menu summary").click()
    page.get_by_role("button", name="dark").click()
    page.wait_for_url("**/help")
    assert page.evaluate(ground) != light
    assert violations(page) == {}


def test_a_change_is_approved_by_mouse(page: Page, house: House) -> None:
    page.goto(house.address + "/approvals")
    card = page.get_by_role("article").filter(has_text="is shown")
    card.get_by_label("Comment").fill("as it should be")
    card.get_by_role("button", name="Approve and deliver").click()
    expect(page.get_by_role("status")).to_have_text("Delivered.")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    run_id, told = house.given[-1]
    assert (run_id, told["approved"], told["comment"]) == (house.runs["waiting"], True, "as it should be")


def test_a_change_is_rejected_by_keys(page: Page, house: House) -> None:
    page.goto(house.address + "/runs?status=waiting_for_review")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{house.runs['second']}")
    deadline = time.monotonic() + 20
    while house.site.hub.listeners == 0:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    page.wait_for_timeout(400)
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Approve and deliver")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Reject")).to_be_focused()
    assert house.given == [] or house.given[-1][0] != house.runs["second"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Rejected.")
    assert house.given[-1][1]["approved"] is False


def test_keys_lead_everywhere(page: Page, house: House) -> None:
    page.goto(house.address + "/help")
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    page.keyboard.press("Control+k")
    page.locator("#palette-words").fill("heavy")
    expect(page.locator("#palette-found a")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{house.runs['failed']}")
    page.keyboard.press("2")
    page.wait_for_url("**/trail")
    page.keyboard.press("n")
    page.wait_for_url("**#e*")


@pytest.mark.parametrize("width", [1280, 1000, 375])
def test_no_status_lies_over_a_title(page: Page, house: House, width: int) -> None:
    house.line.waiting("A title that begins where a long status ends")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(house.address + "/")
    overlaps = page.evaluate("""() => [...document.querySelectorAll(".agents li")].filter((item) => {
        // of the words, which may stick out of their box
        const [status, title] = [".status", "a"].map((name) => {
            const words = document.createRange();
            words.selectNodeContents(item.querySelector(name));
            return words.getBoundingClientRect();
        });
        return status.right > title.left && status.bottom > title.top + 1 && title.bottom > status.top + 1;
    }).length""")
    assert page.locator(".agents .status.wait").count() >= 1
    assert overlaps == 0


def test_a_running_run_is_followed_live_and_a_hostile_event_stays_text(page: Page, house: House) -> None:
    claim = house.line.begin("Follow me")
    page.goto(f"{house.address}/runs/{claim.run_id}/trail")
    expect(page.locator(".strip .busy .name")).to_have_text("plan")
    expect(page.locator("body")).not_to_contain_text("first words")
    deadline = time.monotonic() + 20
    while house.site.hub.listeners == 0:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    house.line.enter(claim, Status.BUILDING)
    house.line.record(claim, ev.Noted(text="first words <img src=x onerror=alert(2)>"))
    expect(page.locator("#trail-rows")).to_contain_text("first words <img src=x onerror=alert(2)>")
    expect(page.locator(".strip .busy .name")).to_have_text("build")
    assert page.locator("#trail-rows img").count() == 0
    house.line.record(claim, ev.RunFinished(status=Status.FAILED, reason="no more"))
    house.stores.runs.finish(claim.run_id, claim.epoch, Status.FAILED, b"{}")
    expect(page.locator(".reason")).to_contain_text("no more")
    # A run that ended is shown anew, which may take the page away under a question.
    page.wait_for_load_state("load")
    for attempt in range(10):
        try:
            rows = page.locator("#trail-rows tr[id]").evaluate_all("rows => rows.map(row => row.id)")
            break
        except Error:
            assert attempt < 9
            page.wait_for_timeout(200)
    assert rows == list(dict.fromkeys(rows))


def test_a_hidden_tab_gives_its_connection_back_and_catches_up(page: Page, house: House) -> None:
    claim = house.line.begin("Look away")
    page.clock.install()
    page.goto(f"{house.address}/runs/{claim.run_id}/trail")
    followed(page, house, 1)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.clock.fast_forward(6000)
    followed(page, house, 0)
    house.line.record(claim, ev.Noted(text="while nobody looked"))
    page.evaluate(hide, False)
    expect(page.locator("#trail-rows")).to_contain_text("while nobody looked")
    followed(page, house, 1)


def followed(page: Page, house: House, readers: int) -> None:
    deadline = time.monotonic() + 20
    while house.site.hub.listeners != readers:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_now_follows_what_happens(page: Page, house: House) -> None:
    page.goto(house.address + "/")
    deadline = time.monotonic() + 20
    while house.site.hub.listeners == 0:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    page.wait_for_timeout(400)
    house.line.begin("Just arrived")
    expect(page.locator("#live-now")).to_contain_text("Just arrived")


def test_without_scripts_everything_can_be_read_and_decided(browser: Browser, house: House) -> None:
    run_id = house.line.waiting("No script is needed")
    session_id = house.site.doors.enter(house.site.doors.link())
    context = browser.new_context(java_script_enabled=False)
    try:
        context.add_cookies([{"name": house.site.cookie, "value": session_id, "url": house.address}])
        page = context.new_page()
        page.goto(house.address + "/runs")
        page.get_by_label("Status").select_option("waiting_for_review")
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("link", name="No script is needed").click()
        page.get_by_role("button", name="Approve and deliver").click()
        expect(page.get_by_role("status")).to_have_text("Delivered.")
    finally:
        context.close()
    found = house.site.lists.page(RunFilter(status=Status.DELIVERED))
    assert run_id in [row.run_id for row in found]
