"""The gate ``migrations``."""

from quality_contexts import still_context

from karkhana.domain.evidence import GateResult, GateStatus, Severity
from karkhana.quality.gates.migrations import Migrations

PATH = "versions/0001_orders.py"
SAFE = (
    "from alembic import op\n\ndef upgrade():\n    op.create_table('a')\n\ndef downgrade():\n    op.drop_table('a')\n"
)
LOSING = SAFE.replace("op.create_table('a')", "op.drop_column('a', 'b')")
DJANGO = "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    operations = [{}]\n"


def check(before: dict[str, str], after: dict[str, str]) -> GateResult:
    with still_context(before, after) as context:
        return Migrations().check(context)


def test_without_a_migration_there_is_nothing_to_say() -> None:
    result = check({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"})
    assert (result.status, result.summary) == (GateStatus.PASSED, "no database migration changed")


def test_a_safe_migration_passes() -> None:
    assert check({}, {PATH: SAFE}).status is GateStatus.PASSED


def test_a_danger_is_a_finding_at_its_place() -> None:
    result = check({}, {PATH: LOSING})
    assert (result.status, result.hard) == (GateStatus.FAILED, False)
    assert [(f.rule, f.path, f.line) for f in result.findings] == [("migrations:data_loss", PATH, 4)]
    assert result.measures["data_loss"] == 1


def test_an_old_migration_must_not_change() -> None:
    assert [f.rule for f in check({PATH: SAFE}, {PATH: LOSING}).findings] == [
        "migrations:altered",
        "migrations:data_loss",
    ]
    assert check({PATH: SAFE}, {PATH: SAFE + "# a remark\n"}).status is GateStatus.PASSED
    assert [f.rule for f in check({PATH: SAFE}, {}).findings] == ["migrations:deleted"]


def test_what_is_only_doubtful_is_told_and_not_blamed() -> None:
    operation = "migrations.AlterField('order', 'a', models.TextField())"
    result = check({}, {PATH: DJANGO.format(operation)})
    assert (result.status, [f.severity for f in result.findings]) == (GateStatus.PASSED, [Severity.INFO])


def test_what_cannot_be_parsed_is_unknown() -> None:
    assert check({}, {PATH: SAFE + "def (\n"}).status is GateStatus.UNKNOWN
