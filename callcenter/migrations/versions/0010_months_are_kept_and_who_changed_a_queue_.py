"""Months are kept, and who changed a queue's definitions."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_GAPS = sa.text("type IN ('SwitchLost', 'SwitchFound')")


def upgrade() -> None:
    op.create_table(
        "agent_months",
        sa.Column("month_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("agent", sa.String(length=10), nullable=False),
        sa.Column("ready_us", sa.BigInteger(), nullable=False),
        sa.Column("ringing_us", sa.BigInteger(), nullable=False),
        sa.Column("talk_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.Column("wrap_up_us", sa.BigInteger(), nullable=False),
        sa.Column("pause_us", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month_at", "agent", name=op.f("pk_agent_months")),
    )
    op.create_table(
        "queue_changes",
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("queue", "version", name=op.f("pk_queue_changes")),
    )
    op.create_table(
        "queue_months",
        sa.Column("month_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("answered", sa.LargeBinary(), nullable=False),
        sa.Column("abandoned", sa.LargeBinary(), nullable=False),
        sa.Column("left", sa.LargeBinary(), nullable=False),
        sa.Column("timeouts", sa.Integer(), nullable=False),
        sa.Column("wait_us", sa.BigInteger(), nullable=False),
        sa.Column("longest_us", sa.BigInteger(), nullable=False),
        sa.Column("over", sa.Integer(), nullable=False),
        sa.Column("talk_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_us", sa.BigInteger(), nullable=False),
        sa.Column("wrap_us", sa.BigInteger(), nullable=False),
        sa.Column("transferred", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month_at", "queue", name=op.f("pk_queue_months")),
    )
    op.drop_table("kept_days")  # its days are counted anew
    op.create_table(
        "kept_days",
        sa.Column("starts_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("span", sa.String(length=5), nullable=False),
        sa.Column("ends_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", "span", name=op.f("pk_kept_days")),
    )

    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_gaps", ["at"], unique=False, sqlite_where=_GAPS, postgresql_where=_GAPS)

    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.drop_column("version")

    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.drop_index("ix_ledger_gaps", sqlite_where=_GAPS, postgresql_where=_GAPS)

    op.drop_table("kept_days")
    op.create_table(
        "kept_days",
        sa.Column("starts_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("ends_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", name=op.f("pk_kept_days")),
    )

    op.drop_table("queue_months")
    op.drop_table("queue_changes")
    op.drop_table("agent_months")
