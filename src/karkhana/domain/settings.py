"""Every setting, its default and what it does. Reading them from files and the environment is done elsewhere.

The TOML table and key are the field names: ``[sandbox] memory_mb = 2048``; the environment variable is
``KARKHANA_SANDBOX_MEMORY_MB``.
"""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.policy import Policy
from karkhana.domain.tasks import Budget, Status


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the sandbox that untrusted code runs in."""

    memory_mb: int = 2048
    """Memory of all processes of the sandbox together where the host offers cgroups, else of each."""
    processes: int = 256
    """Processes and threads."""
    file_mb: int = 256
    """Largest single file."""
    disk_mb: int = 1024
    """All that the sandbox writes."""
    inodes: int = 200_000
    """Files and folders that the sandbox creates."""
    output_mb: int = 16
    """Output of one command that is kept; more is thrown away."""
    command_timeout_s: float = 300.0
    """Wall-clock seconds of one command."""
    cpu_s: int = 600
    """CPU seconds of one process."""


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the dependencies of a target repository are installed."""

    python: str | None = None
    """Interpreter for the target repository; the one that runs Karkhana when absent."""
    timeout_s: float = 900.0
    """Wall-clock seconds of the whole preparation."""
    install: bool = True
    """Install the repository's dependencies; off for repositories that need none or have no index to install from."""

    def __post_init__(self) -> None:
        # a repository may set it, and infinity or no number at all would end as an error of arithmetic much later
        if not 0 < self.timeout_s <= 86_400:
            raise ValueError("environment.timeout_s must be above 0 and at most 86400 seconds")


class QueueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leases and retries of the durable queue."""

    heartbeat_s: float = 5.0
    lease_s: float = 20.0
    """A run whose worker has been silent for so long is taken over."""
    poll_s: float = 0.2
    infrastructure_attempts: int = 3
    """Tries of a step when the machinery fails, with exponential backoff."""
    requeues: int = 2
    """How often a task goes back to the queue when a step's tries were used up; then it fails."""
    takeovers: int = 20
    """How often a run may change hands before it fails, in case it is what kills its workers."""


class McpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[mcp.NAME]``: a server of the Model Context Protocol with tools for engineers."""

    command: tuple[str, ...]
    """Program and arguments; it talks over its standard input and output, with the user's rights."""
    tools: tuple[str, ...]
    """The tools of it that may be called."""
    timeout_s: float = 60.0
    """Wall-clock seconds of one call."""

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise ValueError("command must name a program")
        if not 0 < self.timeout_s <= 3600:
            raise ValueError("timeout_s must be above 0 and at most 3600")


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which language models engineers may ask. Without a file only the symbolic engineer works."""

    file: Path | None = None
    """The file with providers, models and prices, as for the gateway; default: ``gateway.toml`` in the user's
    configuration folder, if it is there."""
    work: str = ""
    """The model that works on tickets; default: the first of the file."""
    review: str = ""
    """The model that reviews changes; default: the one that works."""


class OutcomeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a delivered change counts as good."""

    window_days: float = 30.0
    """Days in the main line without a bad sign after which a change counts as good."""
    sync: bool = True
    """Search the repository for what became of earlier changes before a new one is scored."""

    def __post_init__(self) -> None:
        if not 0 < self.window_days <= 3650:
            raise ValueError("outcomes.window_days must be above 0 and at most 3650")


DOOR_KINDS = ("github", "slack", "alertmanager", "helpdesk", "mail")


class IntakeAnswers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[intake.NAME.answers]``: how a door's answers are sent. Without it nothing is said there."""

    secret_variable: str = ""
    """Environment variable with the token, the API key, the password, or a GitHub App's private key (PEM)."""
    secret_file: Path | None = None
    """The same in a file."""
    secret_sealed: str = ""
    """The same by the name under which it was sealed."""
    app: str = ""
    """Of GitHub: the App's client id; the secret is its private key then, else a fine-grained token."""
    address: str = ""
    """Of the service: GitHub's API (Enterprise: ``https://HOST/api/v3``), Slack's, the helpdesk's, or of mail
    ``smtps://HOST`` or ``smtp://HOST`` (with STARTTLS)."""
    user: str = ""
    """Of a helpdesk: the agent's address; of mail: who signs in."""
    sender: str = ""
    """Of mail: the address that it is from."""
    public: bool = True
    """Of a helpdesk: whether the reporter sees it, or agents only."""
    pull_requests: bool = False
    """Of GitHub: open a pull request for a change whose branch was pushed."""
    labels: Mapping[str, str] = {}
    """Of GitHub: a task's status → the label that its issue bears meanwhile."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.secret_variable, self.secret_file, self.secret_sealed))) > 1:
            raise ValueError("one of secret_variable, secret_file and secret_sealed")
        address = urlsplit(self.address)
        local = address.hostname in ("127.0.0.1", "::1", "localhost")
        if self.address and address.scheme not in ("https", "smtps", "smtp") and not (local and address.scheme):
            raise ValueError("an address begins with https://, smtps:// or smtp://")
        if address.username or address.password:
            raise ValueError("an address must not hold a user name or password")
        if unknown := set(self.labels) - set(Status):
            raise ValueError(f"labels may name {', '.join(Status)}, not {min(unknown)}")


class IntakeDoor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[intake.NAME]``: a door that tickets come in by, at ``/hooks/NAME``. Who is not named may nothing."""

    kind: str
    """``github``, ``slack``, ``alertmanager``, ``helpdesk`` or ``mail``."""
    secret_variables: tuple[str, ...] = ()
    """Environment variables that hold the secret shared with the sender; several while one replaces the other."""
    secrets: tuple[str, ...] = ()
    """Names of sealed secrets, beside or instead of these."""
    repositories: Mapping[str, str] = {}
    """What stands for a repository at the door (``octo/shop``, a channel, ``*`` for all else) → its path here."""
    senders: tuple[str, ...] = ()
    """Who may give tickets and ask about them, as the door knows them; ``*`` and ``?`` stand for anything."""
    approvers: tuple[str, ...] = ()
    """Who may approve and reject; no patterns."""
    people: Mapping[str, str] = {}
    """A sender's name at the door → the name here, so that nobody is two people."""
    labels: tuple[str, ...] = ()
    """Only what bears one of them becomes a ticket; none: whatever a sender opens."""
    checks: tuple[str, ...] = ()
    """Checks and alerts that may give tickets when they fail; patterns."""
    per_minute: int = 30
    """Tickets and commands of one sender."""
    largest_kb: int = 1024
    """Largest delivery."""
    mapping: str = ""
    """Of a helpdesk: ``zendesk``, ``freshdesk``, or the path of a file of one's own."""
    repository_label: str = "repository"
    """Of Alertmanager: the label that stands for a repository."""
    maildir: Path | None = None
    """Of mail: the folder that is read."""
    verified_by: str = ""
    """Of mail: the name that the receiving server writes into ``Authentication-Results``; without its ``dmarc=pass``
    a message is not from whom it says."""
    answers: IntakeAnswers | None = None
    """How it is answered; without it nothing is said there."""

    def __post_init__(self) -> None:
        if self.kind not in DOOR_KINDS:
            raise ValueError(f"kind must be one of {', '.join(DOOR_KINDS)}")
        if not 0 < self.per_minute <= 100_000 or not 0 < self.largest_kb <= 25 * 1024:
            raise ValueError("per_minute must be from 1 to 100000, and largest_kb from 1 to 25600")
        if self.kind == "helpdesk" and not self.mapping:
            raise ValueError("a helpdesk needs a mapping")
        if (self.kind == "mail") != (self.maildir is not None):
            raise ValueError("mail, and only mail, needs a maildir")
        if self.kind == "mail" and not self.verified_by:
            raise ValueError("mail needs verified_by: without it anybody could write as anybody")
        if any("*" in name or "?" in name for name in self.approvers):
            raise ValueError("approvers must be named one by one")
        if self.answers is not None:
            self._check(self.answers)

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables that hold secrets of this door."""
        sending = self.answers.secret_variable if self.answers is not None else ""
        return (*self.secret_variables, *filter(None, [sending]))

    def _check(self, answers: IntakeAnswers) -> None:
        secret = answers.secret_variable or answers.secret_file or answers.secret_sealed
        if self.kind == "alertmanager":
            raise ValueError("Alertmanager takes no answers")
        if not secret and (self.kind != "mail" or answers.user):
            raise ValueError("answers need a secret: secret_variable, secret_file or secret_sealed")
        if not answers.address and self.kind in ("helpdesk", "mail"):
            raise ValueError(f"answers of a {self.kind} door need an address")
        if self.kind == "mail" and "@" not in answers.sender:
            raise ValueError("answers by mail need a sender")
        if (self.kind == "mail") != answers.address.startswith("smtp"):
            raise ValueError("smtp:// and smtps:// are for mail, and mail needs one of them")

    def person(self, sender: str) -> str:
        """Who a sender is here."""
        return next((here for there, here in self.people.items() if there.casefold() == sender.casefold()), sender)


DEAR_GATES = frozenset({"mutation", "differential", "performance", "second_opinion", "traffic", "api_fuzz"})
"""Gates that start the suite or the program again, parts of them many times."""


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is measured of a change."""

    skip: tuple[str, ...] = ()
    """Dear gates that are left out. What they would have shown is missing from the score, so it can only be lower."""
    effort: Literal["auto", "brief", "usual", "thorough"] = "auto"
    """How much dear gates do: by the risk of the change, or always the same."""

    def __post_init__(self) -> None:
        if unknown := set(self.skip) - DEAR_GATES:
            raise ValueError(f"gates.skip may name {', '.join(sorted(DEAR_GATES))}, not {min(unknown)}")


class UnderstandingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done about tickets that do not say enough. User level only."""

    ask: bool = True
    """Ask the reporter one question when something is missing that cannot be found out."""
    wait_h: float = 72.0
    """Hours that a ticket waits for its answer."""
    unanswered: Literal["go_ahead", "reject"] = "go_ahead"
    """What becomes of it when nobody answers."""

    def __post_init__(self) -> None:
        if not 0 < self.wait_h <= 24 * 365:
            raise ValueError("understanding.wait_h must be more than 0 and at most a year")


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``serve`` and ``worker`` write to stderr."""

    format: Literal["text", "json"] = "text"
    """For people, or one JSON object a line."""
    level: Literal["auto", "debug", "info", "warning", "error"] = "auto"
    """The least that is written; auto: ``info`` of JSON, ``warning`` of text."""

    @property
    def threshold(self) -> str:
        """The level that holds."""
        if self.level != "auto":
            return self.level
        return "info" if self.format == "json" else "warning"


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things are kept. Trails, the audit, outcomes and what was learned always are."""

    payload_days: float = 0.0
    """Days after a run's end for which large values of its trail are kept: files, outputs, answers of models. 0: for
    good. The trail itself stays, and verifies."""
    delivery_days: float = 90.0
    """Days for which deliveries at doors and sent answers are kept; a delivery that comes again later is a new one."""

    def __post_init__(self) -> None:
        if not (self.payload_days == 0 or 30 <= self.payload_days <= 36_500):
            raise ValueError("retention.payload_days must be 0 (for good), or from 30 to 36500")
        if not 7 <= self.delivery_days <= 36_500:
            raise ValueError("retention.delivery_days must be from 7 to 36500")


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may read ``/metrics``."""

    token: str = ""
    """Whoever shows it as a bearer token; without one only programs on this machine."""

    def __post_init__(self) -> None:
        if self.token and (len(self.token) < 16 or not self.token.isascii() or not self.token.isprintable()):
            raise ValueError("metrics.token must have 16 characters or more, all of ASCII")


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where webhooks may lead. User level only."""

    private_networks: tuple[str, ...] = ()
    """Networks that are not outside (``10.0.0.0/8``, ``127.0.0.0/8``) and may be told all the same, also without
    https."""

    def __post_init__(self) -> None:
        for text in self.private_networks:
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise ValueError(f"webhooks.private_networks: {error}") from None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One frozen object, passed in."""

    home: Path
    """Database, caches and the trail. ``KARKHANA_HOME``; default: the XDG data directory."""
    database_url: str | None = None
    """``postgresql://…``; an SQLite file in ``home`` when absent. Environment and user level only."""
    secret_variables: tuple[str, ...] = ()
    """Environment variables whose values are redacted everywhere. Names that look like secrets always are."""
    test_command: str | None = None
    """Shell words that run the tests of this repository."""
    ticket_max_bytes: int = 65_536
    sandbox: SandboxSettings = SandboxSettings()
    environment: EnvironmentSettings = EnvironmentSettings()
    queue: QueueSettings = QueueSettings()
    budget: Budget = Budget()
    policy: Policy = Policy()
    models: ModelSettings = ModelSettings()
    outcomes: OutcomeSettings = OutcomeSettings()
    gates: GateSettings = GateSettings()
    understanding: UnderstandingSettings = UnderstandingSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    webhooks: WebhookSettings = WebhookSettings()
    mcp: Mapping[str, McpServer] = {}
    """Users' own tools, by the name of their server. User level only."""
    intake: Mapping[str, IntakeDoor] = {}
    """Doors that tickets come in by, by their names. User level only."""
    access: AccessSettings = AccessSettings()
    """Who uses the dashboard and the API. User level only."""
    secrets_key_file: Path | None = None
    """The key of sealed secrets; default: ``secrets.key`` in the user's configuration folder."""

    def __post_init__(self) -> None:
        for name in self.mcp:
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name) or "__" in name:
                raise ValueError(f"[mcp.{name}]: a name has small letters, digits, - and single _")
        for name in self.intake:
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
                raise ValueError(f"[intake.{name}]: a name has small letters, digits, - and _")
