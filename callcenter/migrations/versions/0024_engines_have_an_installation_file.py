"""Engines have an installation file."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("engine_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("machine", sa.String(length=120), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("technician", sa.String(length=40), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=True),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("withdrawn_at", callcenter.database.UtcTime(), nullable=True),
        sa.Column("withdrawn_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_installations_customer_id_customers")),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_installations_engine_id_engines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installations")),
    )
    with op.batch_alter_table("installations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_installations_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_installations_engine_id"), ["engine_id"], unique=False)

    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("installation_id", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_attachments_installation_id"), ["installation_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_attachments_installation_id_installations"), "installations", ["installation_id"], ["id"]
        )
