"""Every error Karkhana raises on purpose.

::

    KarkhanaError                     what a user is shown: what, where, and the next step
    ├── UsageError            exit 2  the command cannot be carried out as it was given
    │   ├── NotARepository            the path is no git repository
    │   ├── EmptyRepository           the repository has no commit
    │   ├── BareRepository            the repository has no work tree
    │   ├── UnknownRun / UnknownTask  no such identifier
    │   ├── TicketTooLarge            the ticket is longer than the limit
    │   └── InvalidInput              anything else that the user can correct
    │       └── RedactedContent       a file of the run held a secret, which was not kept (storage.replay)
    ├── ConfigurationError    exit 4  settings, credentials or this machine need mending
    │   ├── InvalidSetting            a value in karkhana.toml or the environment
    │   ├── SandboxUnavailable        bubblewrap cannot work on this host
    │   ├── EnvironmentFailure        the dependencies of the repository cannot be installed
    │   ├── DatabaseUnavailable       the database cannot be opened
    │   ├── SecretsUnavailable        sealed secrets cannot be opened: the key is lost, damaged or open to others
    │   └── PriceUnknown              a hard limit cannot be kept for a model without a price (routing.budgets)
    ├── RunFailure            exit 1  the run ended without a change
    │   ├── BudgetExhausted           turns, seconds or dollars are used up
    │   ├── SuiteUnusable     exit 2  no test found, or the suite cannot run before any change
    │   ├── NothingToFix      exit 2  no test fails, and none could be made of the ticket
    │   └── DeliveryFailed            the forge refused the push
    │       └── BranchTaken           the remote has a branch of this name that holds something else (delivery)
    ├── SignInFailed                  an OpenID provider does not let somebody in (web.oidc)
    ├── KeyRefused                    a client's key does not open the gateway (routing.keys)
    │   ├── UnknownKey / KeyExpired / KeyDisabled
    │   └── ModelNotAllowed           the key is right, but not for this model
    ├── RateLimited                   a key has used up what it may use in a minute (routing.limits)
    ├── BudgetReached         exit 3  a hard limit leaves no room for a call (routing.budgets)
    ├── ModelUnavailable      exit 3  no model answers now; the run waits and goes on where it was
    ├── PromptTooLong                 the prompt does not fit into the model's context
    ├── PurseEmpty                    a task's budget leaves no room for a request (routing.policy.purse)
    ├── Unsolved                      no model's answer passed the check (routing.policy.router)
    │   └── BudgetEnded               a model was left that the task's budget does not hold
    ├── LeftToWorker                  a person's word to a run is kept, and a worker carries it out (factory.approvals)
    ├── ToolRefused                   a tool call was rejected; the engineer reads the reason and goes on
    └── InfrastructureFailure         worth a retry: the sandbox or the database broke, not the work
        ├── ProbeFailed               code that was run to be looked at gave no answer (behaviour.running)
        └── GitFailed                 git did not do what it was asked (git)

    Signal                            control flow between rooms; never shown
    ├── LeaseLost                     another worker owns the run now: stop without writing
    └── RunCancelled                  a person cancelled the run

Anything else that escapes is a bug and keeps its traceback.
"""

from typing import ClassVar


class KarkhanaError(Exception):
    """What a user is shown: ``message`` says what and where, ``next`` the step that helps."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, next: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next = next

    @property
    def code(self) -> str:
        """The stable name of the error for scripts, e.g. ``not_a_repository``."""
        return code_of(type(self))


class UsageError(KarkhanaError):
    """The command cannot be carried out as it was given."""

    exit_code = 2


class NotARepository(UsageError):
    """The path is no git repository."""


class EmptyRepository(UsageError):
    """The repository has no commit to work on."""


class BareRepository(UsageError):
    """The repository has no work tree."""


class UnknownRun(UsageError):
    """No run has this identifier."""


class UnknownTask(UsageError):
    """No task has this identifier."""


class TicketTooLarge(UsageError):
    """The ticket is longer than the configured limit."""


class InvalidInput(UsageError):
    """A value that the user can correct."""


class ConfigurationError(KarkhanaError):
    """Settings, credentials or this machine need mending before anything can run."""

    exit_code = 4


class InvalidSetting(ConfigurationError):
    """A value in ``karkhana.toml``, the environment or a flag does not fit."""


class SandboxUnavailable(ConfigurationError):
    """The sandbox cannot work on this host."""


class EnvironmentFailure(ConfigurationError):
    """The dependencies of the target repository cannot be installed."""


class DatabaseUnavailable(ConfigurationError):
    """The database cannot be opened or migrated."""


class SecretsUnavailable(ConfigurationError):
    """Sealed secrets cannot be opened: their key is missing, damaged, or readable by others."""


class RunFailure(KarkhanaError):
    """The run ended without a change to deliver."""


class BudgetExhausted(RunFailure):
    """Turns, seconds or dollars are used up."""


class SuiteUnusable(RunFailure):
    """No test was found, or the suite cannot run before any change was made."""

    exit_code = 2


class NothingToFix(RunFailure):
    """All tests pass, and nothing in the ticket could be made into one that fails."""

    exit_code = 2


class DeliveryFailed(RunFailure):
    """The forge refused the change."""


class ModelUnavailable(KarkhanaError):
    """No model answers now: its provider is away, its key is refused, or its budget is used up."""

    exit_code = 3
    again_s: float | None = None
    """Seconds after which asking again may help without anybody's doing; ``None``: somebody has to do something."""


class PromptTooLong(KarkhanaError):
    """The prompt does not fit into the model's context."""


class LeftToWorker(KarkhanaError):
    """What a person said to a run is kept and holds, but carrying it out failed here: a worker does that."""


class ToolRefused(KarkhanaError):
    """A tool call was rejected. The engineer reads the reason and goes on."""


class InfrastructureFailure(KarkhanaError):
    """The machinery broke, not the work: the step is retried with backoff."""


def error_kind(code: str) -> type[KarkhanaError]:
    """The class of a stored error code; ``RunFailure`` for one that this version does not know.

    >>> error_kind("nothing_to_fix").exit_code
    2
    """
    kinds: list[type[KarkhanaError]] = [KarkhanaError]
    for kind in kinds:
        # One that is made from other data than a message cannot be made again from a message.
        kinds += [sub for sub in kind.__subclasses__() if sub.__init__ is KarkhanaError.__init__]
    return next((kind for kind in kinds if code_of(kind) == code), RunFailure)


def code_of(kind: type[KarkhanaError]) -> str:
    """The stable name of a class of errors.

    >>> code_of(NothingToFix)
    'nothing_to_fix'
    """
    return "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")


class Signal(BaseException):
    """Control flow between rooms, never shown to a user.

    A ``BaseException`` so that no broad handler in an engineer or a gate can swallow it.
    """


class LeaseLost(Signal):
    """Another worker owns the run now: stop without writing anything."""


class RunCancelled(Signal):
    """A person cancelled the run."""
