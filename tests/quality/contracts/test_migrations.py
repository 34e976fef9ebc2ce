"""What is dangerous in a migration, and what is not."""

import pytest

from karkhana.quality.contracts.migrations import kind, risks


def alembic(*upgrade: str, downgrade: str = "op.drop_table('x')") -> bytes:
    body = "\n".join(f"    {line}" for line in upgrade)
    return (
        "from alembic import op\nimport sqlalchemy as sa\n\n"
        f"def upgrade():\n{body}\n\ndef downgrade():\n    {downgrade}\n"
    ).encode()


def django(*operations: str, atomic: bool = True) -> bytes:
    body = "".join(f"        {each},\n" for each in operations)
    flag = "" if atomic else "    atomic = False\n"
    head = "from django.db import migrations, models\n\nclass Migration(migrations.Migration):\n"
    return f"{head}{flag}    operations = [\n{body}    ]\n".encode()


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        (alembic("op.drop_table('orders')"), ["data_loss"]),
        (alembic("op.drop_column('orders', 'note')"), ["data_loss"]),
        (
            alembic("op.alter_column('orders', 'note', type_=sa.String(10), existing_type=sa.Text())"),
            ["lock", "data_loss"],
        ),
        (alembic("op.alter_column('orders', 'id', type_=sa.BigInteger())"), ["lock"]),
        (alembic("op.alter_column('orders', 'note', nullable=False)"), ["lock"]),
        (alembic("op.alter_column('orders', 'note', new_column_name='text')"), ["may_fail"]),
        (alembic("op.add_column('orders', sa.Column('a', sa.Integer(), nullable=False))"), ["may_fail"]),
        (
            alembic("op.add_column('orders', sa.Column('a', sa.Uuid(), server_default=sa.text('gen_random_uuid()')))"),
            ["lock"],
        ),
        (alembic("op.create_index('ix', 'orders', ['a'])"), ["lock"]),
        (alembic("op.create_foreign_key('fk', 'orders', 'users', ['u'], ['id'])"), ["lock"]),
        (alembic("op.create_unique_constraint('uq', 'orders', ['u'])"), ["lock"]),
        (alembic("op.execute('DELETE FROM orders')"), ["data_loss"]),
        (alembic("op.execute('CREATE INDEX ix ON orders (a)')"), ["lock"]),
        (alembic("op.execute('ALTER TABLE orders ALTER COLUMN a SET NOT NULL')"), ["lock"]),
        (alembic("op.add_column('a', sa.Column('b', sa.Text()))", downgrade="pass"), ["empty_downgrade"]),
        (alembic("op.add_column('a', sa.Column('b', sa.Text()))", downgrade="raise RuntimeError"), ["irreversible"]),
        (django("migrations.DeleteModel(name='Order')"), ["data_loss"]),
        (django("migrations.RemoveField(model_name='order', name='note')"), ["data_loss"]),
        (django("migrations.RenameField('order', 'note', 'text')"), ["may_fail"]),
        (django("migrations.AddField('order', 'a', models.IntegerField())"), ["may_fail"]),
        (django("migrations.AddIndex('order', models.Index(fields=['a'], name='ix'))"), ["lock"]),
        (django("migrations.RunPython(fill)"), ["irreversible"]),
        (django("migrations.RunPython(fill, elidable=True)"), ["irreversible"]),
        (django("migrations.RunSQL('TRUNCATE orders')"), ["irreversible", "data_loss"]),
        (django("AddIndexConcurrently('order', models.Index(fields=['a']))"), ["may_fail"]),
        (django("migrations.AlterField('order', 'a', models.TextField())"), ["lock"]),
    ],
)
def test_dangers(source: bytes, codes: list[str]) -> None:
    assert [risk.code for risk in risks(source)] == codes


@pytest.mark.parametrize(
    "source",
    [
        alembic("op.create_table('orders', sa.Column('id', sa.Integer()))", "op.create_index('ix', 'orders', ['id'])"),
        alembic("op.add_column('orders', sa.Column('a', sa.Integer(), nullable=False, server_default='0'))"),
        alembic("op.add_column('orders', sa.Column('a', sa.DateTime(), server_default=sa.func.now()))"),
        alembic("op.create_index('ix', 'orders', ['a'], postgresql_concurrently=True)"),
        alembic("op.alter_column('orders', 'a', type_=sa.Text(), existing_nullable=False)"),
        alembic("op.execute('DELETE FROM orders WHERE id = 1')"),
        alembic("op.execute('CREATE INDEX CONCURRENTLY ix ON orders (a)')"),
        alembic("pass", downgrade="pass"),
        django("migrations.CreateModel(name='Order', fields=[])", "migrations.AddIndex('order', models.Index())"),
        django("migrations.AddField('order', 'a', models.IntegerField(null=True))"),
        django("migrations.AddField('order', 'a', models.IntegerField(default=0))"),
        django("migrations.RunPython(fill, migrations.RunPython.noop)"),
        django("migrations.RunSQL('UPDATE a SET b = 1', 'UPDATE a SET b = 0')"),
        django("AddIndexConcurrently('order', models.Index(fields=['a']))", atomic=False),
        b"def upgrade(): pass\n",
    ],
)
def test_what_is_harmless(source: bytes) -> None:
    assert risks(source) == []


def test_a_danger_has_its_line_and_names_the_thing() -> None:
    (risk,) = risks(alembic("op.create_table('a')", "op.drop_column('orders', 'note')"))
    assert (risk.line, risk.message.split(" is ")[0]) == (6, "orders note")


def test_only_the_source_can_be_doubtful() -> None:
    (risk,) = risks(django("migrations.AlterField('order', 'a', models.TextField())"))
    assert risk.doubtful


def test_kinds() -> None:
    assert (kind(alembic("pass")), kind(django()), kind(b"class Migration: ...")) == ("alembic", "django", "")
