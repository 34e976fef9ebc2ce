"""``karkhana route``: whom the router would ask and why, and what it has learnt."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput, InvalidSetting
from karkhana.factory.configuration import load_settings
from karkhana.routing.configuration import Configuration
from karkhana.routing.gateway.advice import Advice, Past, Told, advice, entry_of, past, records
from karkhana.routing.gateway.learning import read_wording
from karkhana.routing.gateway.serving import PRICES, read_file
from karkhana.routing.policy.capability import Needs
from karkhana.routing.policy.settings import LABEL, PolicySettings
from karkhana.routing.policy.wording_examples import examples
from karkhana.routing.prices import PriceBook
from karkhana.routing.prices_shipped import price_book
from karkhana.storage.database import open_database
from karkhana.storage.route_store import RouteStore

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
DEFAULT = Path("gateway.toml")
_NEEDS = ("tools", "json", "images")


@app.callback()
def route() -> None:
    """Whom the router would ask and why, and what it has learnt."""


@app.command()
def explain(
    call: str | None = typer.Argument(None, help="A call (x-karkhana-call): what was chosen for it."),
    config: Path = typer.Option(DEFAULT, "--config", help="Providers, models, prices; see docs/gateway.md."),
    model: str | None = typer.Option(None, "--model", help="As clients name it; default: auto, else the first."),
    task_type: str = typer.Option("", "--type", help="Kind of task, e.g. bugfix."),
    text: str = typer.Option("", "--text", help="The request; default: one of 1,000 tokens."),
    needs: list[str] = typer.Option([], "--needs", help="tools, json or images; repeat it."),
    residency: list[str] = typer.Option([], "--residency", help="Label that must be fulfilled; repeat it."),
    team: str = typer.Option("", "--team", help='Whose outcomes count, with pool = "team" in [policy].'),
    json: bool = AsJson,
) -> None:
    """Each candidate in one sentence: whether it is asked, when, and why; or what was chosen for a past CALL."""
    with _store() as (store, home):
        if call is not None:
            then = past(store, call)
            print_json(then) if json else _print_past(then)
            return
        wanted = _needs(task_type, needs, residency)
        configuration = _configuration(config)
        prices = _prices(configuration, home)
        found = advice(
            configuration,
            prices,
            store,
            model="" if configuration is None else entry_of(configuration, model),
            task_type=task_type,
            text=text,
            needs=wanted,
            team=team,
            wording=None if configuration is None else read_wording(configuration.policy),
        )
    print_json(found) if json else _print_advice(found)


@app.command()
def outcomes(
    config: Path = typer.Option(DEFAULT, "--config", help="Whose [policy] says how fast outcomes are forgotten."),
    json: bool = AsJson,
) -> None:
    """What is known of each model and of the symbolic engineer, by type of task."""
    configuration = _configuration(config)
    with _store() as (store, home):
        prices = _prices(configuration, home)
        found = records(store, PolicySettings() if configuration is None else configuration.policy, prices)
    if json:
        print_json({"outcomes": found})
        return
    rows = [
        [r.task_type or "-", r.rung, f"{r.passed} of {r.outcomes}", f"{r.chance:.2f}", f"{r.weight:.1f}", r.pool]
        for r in found
    ]
    table(["type", "rung", "passed", "P(ok) now", "weight now", "pool"], rows)


@app.command()
def learn(
    file: Path = typer.Argument(..., help='Lines of {"text", "model", "passed"}, or of {"text"} alone.'),
    out: Path = typer.Option(Path("wording.model"), "--out", help="Where the model is written; name it in [policy]."),
    json: bool = AsJson,
) -> None:
    """Learn from texts with outcomes how much a request's wording says about each model's chance to pass."""
    # numpy and scikit-learn take a second, which no other command shall wait for
    from karkhana.routing.policy.wording_corpus import Corpus
    from karkhana.routing.policy.wording_training import fit

    try:
        with file.open("rb") as lines:
            found = examples(lines)
        model = fit(Corpus.of(found.texts), found.outcomes)
        model.save(out)
    except OSError as error:
        raise InvalidInput(f"{error.filename}: {error.strerror}", "Name a file that can be read, and --out.") from error
    except ValueError as error:
        raise InvalidInput(f"{file}: {error}", "Add outcomes of more texts.") from error
    if json:
        print_json({"file": str(out), "models": list(model.models), "texts": len(found.texts)})
        return
    typer.echo(f"{out} knows {', '.join(model.models)}, from {len(found.outcomes)} texts with outcomes")
    typer.echo(f'name it in gateway.toml: [policy] wording = "{out}"')


def _print_advice(found: Advice) -> None:
    about = " ".join(word for word in (found.model, found.task_type, f"({found.policy})") if word)
    typer.echo(f"{visible(about)}: an answer that passes is worth ${found.value_usd:g}")
    if not found.candidates:
        typer.echo("nobody to ask: no gateway.toml here, and no outcome of this type is known")
    _print_told(found.candidates)


def _print_past(found: Past) -> None:
    outcome = {None: "how it was is not told", True: "it passed", False: "it did not pass"}[found.passed]
    about = " ".join(word for word in (found.model, found.task_type) if word)
    typer.echo(
        f"{visible(about)}: {found.chosen} was chosen with propensity {found.propensity:.2f}, "
        f"{found.answered or 'nobody'} answered, and {outcome}"
    )
    _print_told(found.candidates)


def _print_told(candidates: tuple[Told, ...]) -> None:
    for told in candidates:
        place = "-" if told.place is None else str(told.place)
        first = "" if told.first is None else f" [first with {told.first:.2f}]"
        typer.echo(f"{place:>2}  {visible(told.rung)}: {visible(told.why)}{first}")


def _needs(task_type: str, needs: list[str], residency: list[str]) -> Needs:
    for label in (*residency, *([task_type] if task_type else [])):
        if not LABEL.fullmatch(label):
            raise InvalidInput(f"{label!r} is no label", "Use up to 64 letters, digits, . _ : and -.")
    unknown = [need for need in needs if need not in _NEEDS]
    if unknown:
        raise InvalidInput(f"nobody can need {unknown[0]!r}", f"Needs are {', '.join(_NEEDS)}.")
    return Needs(tools="tools" in needs, json="json" in needs, images="images" in needs, residency=frozenset(residency))


def _configuration(path: Path) -> Configuration | None:
    """``None`` if there is none at the place where it is usually."""
    if path == DEFAULT and not path.exists():
        return None
    try:
        return read_file(path)
    except InvalidSetting as error:
        if path.exists():
            raise
        raise InvalidInput(error.message, error.next) from None


def _prices(configuration: Configuration | None, home: Path) -> PriceBook:
    return PriceBook({}) if configuration is None else price_book(configuration, home / PRICES)


@contextmanager
def _store() -> Iterator[tuple[RouteStore, Path]]:
    settings = load_settings({})
    with open_database(settings.database_url, settings.home) as database:
        yield RouteStore(database), settings.home
