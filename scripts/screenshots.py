"""Takes the pictures of the documentation: real runs in a home of their own, a real server, a real browser.

The runs are ``karkhana demo`` and a few more on copies of its sample shop: one that a model did (the fake provider's,
on loopback) and that waits for a person, one that ran out of its budget, one with a question, one that failed, and one
that is under way. Nothing leaves the machine. With ``--home`` the runs are made there once, and pictures can be taken
again.

    python scripts/screenshots.py [--out docs/images] [--only now] [--home DIR]
"""

import argparse
import ctypes
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from benchmarks.dashboard_browser import browser
from benchmarks.dashboard_server import Client, serving
from PIL import Image
from playwright.sync_api import BrowserContext

from karkhana.cli.commands.demo import make_sample_repository
from karkhana.storage.database import open_database
from karkhana.storage.tables import runs

PERSON = "asha"
LARGEST = 80_000
"""Bytes of a picture."""
SCRIPT = r"""
[price.any]
input = "1"
output = "2"

[[answer]]
says = "What its author says"
text = '''{"findings": [{"severity": "warning", "path": "teashop/discounts.py", "line": 22, "message": "0?"}]}'''

[[answer]]
turn = 1
calls = [{ name = "read_file", arguments = { path = "teashop/discounts.py" } }]

[[answer]]
turn = 2
[[answer.calls]]
name = "edit_file"
arguments = { path = "teashop/discounts.py", old = "tins > least", new = "tins >= least" }

[[answer]]
turn = 3
calls = [{ name = "run_tests", arguments = {} }]

[[answer]]
turn = 4
[[answer.calls]]
name = "push_changes"
arguments = { title = "Give the discount from the tier's first tin", summary = "`>` left out exactly 10 tins." }

[[answer]]
turn = 5
[[answer.calls]]
name = "push_changes"
arguments = { title = "Give the discount from the tier's first tin", summary = "`>` left out exactly 10 tins." }
"""
MODELS = """
[provider.fake]
wire = "openai"
base_url = "{address}/v1"
[model.fake]
candidates = ["fake/any"]
[price."fake/any"]
input = "1"
output = "2"
"""
NEW_UTS = 0x04000000
"""``CLONE_NEWUTS`` of unshare(2)."""
SLOWLY = """
[latency]
first_s = 60
"""
"""Seconds to each answer of the run that is under way."""
TICKET = "Volume discount is missing on exactly 10 tins"


def karkhana(*words: str, ends: tuple[int, ...] = (0, 1, 3)) -> None:
    """A command as a person gives it; ``ends``: the exit codes that belong to the picture."""
    program = "from karkhana.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    if done.returncode not in ends:
        raise SystemExit(f"karkhana {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


@contextmanager
def provider(folder: Path, head: str = "") -> Iterator[None]:
    """A fake provider of models, which the commands find."""
    script, models = folder / "script.toml", folder / "models.toml"
    script.write_text(head + SCRIPT)
    program = "from karkhana.cli.main import main; main()"
    command = [sys.executable, "-c", program, "provider", "fake", "--script", str(script), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split('"address":"')[1].split('"')[0]
        models.write_text(MODELS.format(address=address))
        os.environ["KARKHANA_MODELS_FILE"] = str(models)
        yield
    finally:
        process.terminate()
        process.wait(30)


def furnish(folder: Path) -> None:
    """The runs that the pictures show."""
    karkhana("demo")
    with provider(folder):
        model = ("--engineer", "llm", "--model", "fake")
        karkhana("run", TICKET, "--repo", str(shop(folder / "one")), *model)
        karkhana(
            "run", "Free shipping from 40 euros on", "--repo", str(shop(folder / "two")), *model, "--max-turns", "2"
        )
    karkhana("run", "The cart should remember gift wrapping", "--repo", str(shop(folder / "three")))
    missing = ("--test-command", "python -m pytest tests/missing")
    karkhana("run", "Remember the last delivery address", "--repo", str(shop(folder / "four")), *missing, ends=(2,))
    for title, priority in (("Invoices in Hindi", "8"), ("Show prices per 100 grams", "4")):
        karkhana("queue", "add", title, "--repo", str(folder / "one" / "teashop"), "--priority", priority)


@contextmanager
def under_way(folder: Path, home: Path) -> Iterator[None]:
    """A run that a slow model works on."""
    place = Path(tempfile.mkdtemp(dir=folder))
    program = "from karkhana.cli.main import main; main()"
    command = [sys.executable, "-c", program, "run", TICKET, "--repo", str(shop(place / "five"))]
    with provider(place, SLOWLY):
        command += ["--engineer", "llm", "--model", "fake"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 120
            while not statuses(home).get("building"):
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("the run that was to be under way is not")
                time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait(60)


def statuses(home: Path) -> dict[str, str]:
    """Status → the oldest run that has it."""
    with open_database(None, home) as database, database.reading() as connection:
        query = sa.select(runs.c.run_id, runs.c.status).order_by(runs.c.run_id.desc())
        return {row.status: row.run_id for row in connection.execute(query)}


def shop(folder: Path) -> Path:
    folder.mkdir()
    return make_sample_repository(folder)


def rename() -> None:
    """Give this process and its children a host's name that says nothing of this machine, where that may be done."""
    if os.geteuid() == 0 and ctypes.CDLL(None).unshare(NEW_UTS) == 0:
        socket.sethostname("node-1")


def pictures(home: Path) -> dict[str, str]:
    """Name → address."""
    delivered = statuses(home)["delivered"]
    return {
        "now": "/",
        "runs": "/runs",
        "run-changes": f"/runs/{delivered}/changes",
        "run-trail": f"/runs/{delivered}/trail",
        "run-evidence": f"/runs/{delivered}/evidence",
        "run-confidence": f"/runs/{delivered}/confidence",
        "approvals": "/approvals",
        "quality": "/quality",
        "router": "/router",
        "audit": "/audit",
        "access": "/access",
    }


def take(context: BrowserContext, client: Client, name: str, path: str, out: Path) -> None:
    """One page, as a person sees it first."""
    page = context.new_page()
    answer = page.goto(client.address + path)
    assert answer is not None
    assert answer.ok, f"{path} answers {answer.status}"
    page.wait_for_timeout(400)
    file = out / f"{name}.png"
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide")))
    # few colours are a third of the size, and all that a page has
    taken.quantize(96, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)
    page.close()
    size = file.stat().st_size
    sys.stderr.write(f"{file} {size // 1000} kB\n")
    if size > LARGEST:
        raise SystemExit(f"{file} has {size} bytes; {LARGEST} are allowed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", default="", help="Pictures whose name holds this.")
    parser.add_argument("--home", type=Path, help="A folder for the runs that is kept.")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="karkhana-pictures-") as name:
        folder = (options.home or Path(name)).resolve()
        home = folder / "home"
        for variable in [each for each in os.environ if each.startswith("KARKHANA_")]:
            del os.environ[variable]
        os.environ |= {"KARKHANA_HOME": str(home), "LOGNAME": PERSON, "XDG_CONFIG_HOME": str(folder / "config")}
        os.environ |= {"TMPDIR": name, "TZ": "UTC"}
        rename()
        if not home.exists():
            folder.mkdir(exist_ok=True)
            furnish(folder)
        with under_way(folder, home), serving(home, None) as client:
            for scheme, suffix in (("light", ""), ("dark", "-dark")):
                with browser(client, color_scheme=scheme, locale="en-GB", timezone_id="UTC") as context:
                    for each, path in pictures(home).items():
                        if options.only in each:
                            take(context, client, each + suffix, path, options.out)


if __name__ == "__main__":
    main()
