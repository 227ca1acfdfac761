"""Finished days are kept counted; a queue chooses its service level."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_days",
        sa.Column("day_at", callcenter.database.UtcTime(), nullable=False),
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
        sa.PrimaryKeyConstraint("day_at", "agent", name=op.f("pk_agent_days")),
    )
    op.create_table(
        "kept_days",
        sa.Column("starts_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("ends_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("begun_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("starts_at", name=op.f("pk_kept_days")),
    )
    op.create_table(
        "queue_days",
        sa.Column("day_at", callcenter.database.UtcTime(), nullable=False),
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
        sa.PrimaryKeyConstraint("day_at", "queue", name=op.f("pk_queue_days")),
    )
    op.create_table(
        "queue_quarters",
        sa.Column("day_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("starts_at", callcenter.database.UtcTime(), nullable=False),
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
        sa.PrimaryKeyConstraint("day_at", "starts_at", "queue", name=op.f("pk_queue_quarters")),
    )
    with op.batch_alter_table("offers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_offers_rung_at"), ["rung_at"], unique=False)

    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("service_level", sa.String(length=3), nullable=False, server_default=""))

    with op.batch_alter_table("segments", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_segments_queue_started_at"))
        batch_op.create_index(
            "ix_segments_held",
            ["started_at"],
            unique=False,
            sqlite_where=sa.text("kind = 'hold'"),
            postgresql_where=sa.text("kind = 'hold'"),
        )
        batch_op.create_index(
            "ix_segments_joined",
            ["started_at"],
            unique=False,
            sqlite_where=sa.text("kind = 'queue'"),
            postgresql_where=sa.text("kind = 'queue'"),
        )

    with op.batch_alter_table("spells", schema=None) as batch_op:
        batch_op.create_index("ix_spells_started_at", ["started_at"], unique=False)
        batch_op.create_index(
            "ix_spells_wrap_up",
            ["call_id"],
            unique=False,
            sqlite_where=sa.text("state = 'wrap_up'"),
            postgresql_where=sa.text("state = 'wrap_up'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("spells", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_spells_wrap_up",
            sqlite_where=sa.text("state = 'wrap_up'"),
            postgresql_where=sa.text("state = 'wrap_up'"),
        )
        batch_op.drop_index("ix_spells_started_at")

    with op.batch_alter_table("segments", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_segments_joined", sqlite_where=sa.text("kind = 'queue'"), postgresql_where=sa.text("kind = 'queue'")
        )
        batch_op.drop_index(
            "ix_segments_held", sqlite_where=sa.text("kind = 'hold'"), postgresql_where=sa.text("kind = 'hold'")
        )
        batch_op.create_index(batch_op.f("ix_segments_queue_started_at"), ["queue", "started_at"], unique=False)

    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.drop_column("service_level")

    with op.batch_alter_table("offers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_offers_rung_at"))

    op.drop_table("queue_quarters")
    op.drop_table("queue_days")
    op.drop_table("kept_days")
    op.drop_table("agent_days")
