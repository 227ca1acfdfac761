"""Legs know their bridge, agents their legs. Spells are a projection: `callcenter rebuild` makes them again."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("legs", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("wrap_up", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("spell_at", callcenter.database.UtcTime(), nullable=True))
    with op.batch_alter_table("legs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bridge", sa.String(length=40), nullable=False, server_default=""))
    op.drop_table("spells")
    _create_spells(("extension", "started_at"))


def downgrade() -> None:
    op.drop_table("spells")
    _create_spells(("extension", "started_at", "no"), sa.Column("no", sa.Integer(), nullable=False))
    with op.batch_alter_table("legs", schema=None) as batch_op:
        batch_op.drop_column("bridge")
    with op.batch_alter_table("agents", schema=None) as batch_op:
        batch_op.drop_column("spell_at")
        batch_op.drop_column("wrap_up")
        batch_op.drop_column("legs")


def _create_spells(key: tuple[str, ...], *more: sa.Column) -> None:
    op.create_table(
        "spells",
        sa.Column("extension", sa.String(length=10), nullable=False),
        sa.Column("started_at", callcenter.database.UtcTime(), nullable=False),
        *more,
        sa.Column("ended_at", callcenter.database.UtcTime(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=True),
        sa.Column("queue", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_spells")),
    )
