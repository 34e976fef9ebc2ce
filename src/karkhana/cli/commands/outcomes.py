"""``karkhana outcomes``: what became of delivered changes, and how often which kind of change turns out well."""

import getpass
from datetime import UTC, datetime
from pathlib import Path

import typer

from karkhana.cli.account import at_terminal
from karkhana.cli.options import AsJson
from karkhana.cli.output import print_json, table, visible
from karkhana.domain.errors import InvalidInput
from karkhana.domain.json import plain
from karkhana.domain.outcomes import Label, Outcome, SignKind
from karkhana.factory.causes import causes as causes_of
from karkhana.factory.causes import rules
from karkhana.factory.configuration import load_settings
from karkhana.factory.outcomes import make_sign, outcome_book, repository_name
from karkhana.factory.stores import open_stores
from karkhana.factory.weights import keep_learned
from karkhana.learning.outcomes.track_record import Kind, track_records
from karkhana.quality.weights import load_weights

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What became of changes: list, add, sync, learn, records, causes, findings.",
)
OfRepository = typer.Option(None, "--repo", help="Only changes to this repository.", show_default=False)


@app.command("list")
def list_(
    repo: Path | None = OfRepository,
    label: Label | None = typer.Option(None, help="Only changes with this label."),
    json: bool = AsJson,
) -> None:
    """Delivered and refused changes with their label, the newest first."""
    with open_stores() as stores:
        found = outcome_book(stores).all(None if repo is None else repository_name(repo))
    rows = [each for each in reversed(found) if label is None or each.label is label]
    if json:
        print_json(plain(rows))
    elif not rows:
        typer.echo("there is no such outcome yet; a change has one once it is delivered or refused", err=True)
    else:
        table(("run", "label", "known (UTC)", "score", "engineer", "why"), [_row(each) for each in rows])


def _row(outcome: Outcome) -> tuple[str, ...]:
    change = outcome.change
    known = "" if outcome.label is Label.PENDING else f"{datetime.fromtimestamp(outcome.known_at, UTC):%Y-%m-%d %H:%M}"
    return change.run_id, outcome.label.value, known, f"{change.score:.2f}", change.engineer, _why(outcome)


def _why(outcome: Outcome) -> str:
    if outcome.signs:
        return ", ".join(f"{sign.kind.value} {sign.reference[:12]}".strip() for sign in outcome.signs)
    if outcome.label is Label.GOOD:
        return "no bad sign within the window"
    if outcome.change.landed_at is None:
        return "not seen in the main line"
    return f"the window ends {datetime.fromtimestamp(outcome.known_at, UTC):%Y-%m-%d}"


@app.command()
def add(
    run: str = typer.Argument("", metavar="[RUN]", help="Identifier of the run whose change it is about."),
    fixed_by: str = typer.Option("", "--fixed-by", help="Instead of RUN: the commit that mended it. Needs --repo."),
    repo: Path | None = OfRepository,
    sign: SignKind = typer.Option(..., "--sign", help="What was seen."),
    reference: str = typer.Option("", "--reference", help="The commit, incident, rule or sign that it is about."),
    comment: str = typer.Option("", "--comment", help="Kept in the trail."),
    cause: str = typer.Option("", "--cause", help="What was wrong; drawn from the comment when absent."),
    by: str = typer.Option(None, "--by", help="Who says so; the user's name when absent."),
    json: bool = AsJson,
) -> None:
    """Say what was seen of a change: an incident, a rollback, a false alarm. Saying it twice changes nothing."""
    if bool(run) == bool(fixed_by) or (fixed_by and repo is None):
        raise InvalidInput("say which change it is about", "Give RUN, or --fixed-by COMMIT with --repo PATH.")
    with open_stores() as stores:
        book = outcome_book(stores)
        runs = book.traced(repository_name(repo), fixed_by) if repo is not None and fixed_by else (run,)
        who = by or getpass.getuser()
        signs = [make_sign(one, sign, reference=reference, comment=comment, by=who, cause=cause) for one in runs]
        new = [book.add(told) for told in signs]
        for one in runs:
            product = stores.tasks.get(stores.runs.get(one).task_id).product
            details = {"sign": sign.value, "reference": reference, "by": who}
            stores.audit.record(at_terminal(), action="outcome.add", target=one, product=product, details=details)
        outcomes = [each for each in book.all() if each.change.run_id in runs]
    if json:
        print_json({"new": any(new), "outcomes": plain(outcomes)})
        return
    for each in outcomes:
        known = "" if any(new) else " (known before)"
        typer.echo(f"{each.change.run_id}  {each.label.value}: {visible(_why(each))}{known}")


@app.command()
def sync(
    repo: Path | None = OfRepository,
    branch: str = typer.Option("", "--branch", help="The main line; found when absent. Needs --repo."),
    rebuild: bool = typer.Option(False, "--rebuild", help="First make the store again from the trails."),
    json: bool = AsJson,
) -> None:
    """Search repositories for what became of the changes that were delivered to them."""
    if branch and repo is None:
        raise InvalidInput("--branch needs a repository", "Add --repo PATH.")
    with open_stores() as stores:
        book = outcome_book(stores)
        if rebuild:
            book.rebuild()
        named = (book.sync(repository_name(repo), branch=branch),) if repo is not None else ()
        # How far a repository was searched is in no trail: made again, the store knows it of none.
        others = book.sync_all() if repo is None or rebuild else ()
        synced = tuple({each.repository: each for each in (*others, *named)}.values())
        labels = [each.label for each in book.all()]
    counts = {label.value: labels.count(label) for label in Label}
    if json:
        print_json({"repositories": plain(synced), "outcomes": counts})
        return
    for each in synced:
        typer.echo(
            f"{visible(each.repository)}: {each.problem or f'{each.landed} landed, {len(each.signs)} new signs'}"
        )
        for found in each.signs:
            typer.echo(f"  {found.run_id}  {found.kind.value} {found.reference[:12]}  {visible(found.detail)}")
    typer.echo(", ".join(f"{count} {label}" for label, count in counts.items()))


@app.command()
def learn(json: bool = AsJson) -> None:
    """Learn the weights of the score from outcomes; they hold only if they foretell the newest outcomes better."""
    # scipy takes a second to import, which no other command here needs
    from karkhana.quality.weight_training import Example, learn

    settings = load_settings({})
    with open_stores(settings) as stores:
        known = [each for each in outcome_book(stores).all() if each.label is not Label.PENDING]
    known.sort(key=lambda each: each.change.at)
    training = learn([Example(each.change.components, each.good) for each in known], load_weights())
    if training.learned is not None:
        keep_learned(settings.home, training.learned)
        with open_stores(settings) as stores:
            told = {"outcomes": training.outcomes, "bad": training.bad}
            stores.audit.record(at_terminal(), action="weights.learn", details=told)
    if json:
        print_json(plain(training))
        return
    typer.echo(f"{training.outcomes} outcomes, {training.bad} bad: {training.reason}")
    if training.learned is not None:
        shares = [(name, f"{share:.3f}") for name, share in training.learned.components.items()]
        table(("component", "weight"), shares)


@app.command()
def records(json: bool = AsJson) -> None:
    """How often each kind of change turned out well, with what is known of related kinds."""
    with open_stores() as stores:
        outcomes = outcome_book(stores).all()
    names = Kind.__struct_fields__
    values = sorted({tuple(str(getattr(each.change, name)) for name in names) for each in outcomes})
    kinds = [Kind(**dict(zip(names, each, strict=True))) for each in values]
    found = list(zip(kinds, track_records(outcomes, kinds), strict=True))
    if json:
        print_json([{**plain(kind), **plain(record)} for kind, record in found])
        return
    table(
        ("type", "engineer", "model", "strategy", "good", "bad", "chance", "repository"),
        [
            (k.type, k.engineer, k.model, k.strategy, str(r.good), str(r.bad), f"{r.mean or 0:.2f}", k.repository)
            for k, r in found
        ],
    )


@app.command()
def causes(repo: Path | None = OfRepository, json: bool = AsJson) -> None:
    """Why changes turned out badly, and what the gates had said that should have noticed."""
    with open_stores() as stores:
        found = causes_of(stores.events, outcome_book(stores).all(None if repo is None else repository_name(repo)))
    if json:
        print_json(plain(found))
        return
    table(
        ("type", "cause", "bad", "gates that should have noticed", "meaning"),
        [(each.type, each.cause, str(each.bad), _gates(each.gates), each.meaning) for each in found],
    )


@app.command()
def findings(repo: Path | None = OfRepository, json: bool = AsJson) -> None:
    """Which rules found something in changes, how often a person dismissed it, and how those changes turned out."""
    with open_stores() as stores:
        book = outcome_book(stores)
        known = book.all(None if repo is None else repository_name(repo))
        found = rules(stores.events, known, book.store.signs())
    if json:
        print_json(plain(found))
        return
    table(
        ("rule", "changes", "dismissed", "good", "bad"),
        [(each.rule, str(each.shown), str(each.dismissed), str(each.good), str(each.bad)) for each in found],
    )


def _gates(gates: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{gate}: {', '.join(f'{count} {status}' for status, count in said.items())}" for gate, said in gates.items()
    )
