"""Likely duplicates are kept, and signs are found."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "likenesses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("one_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("found_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("answer", sa.String(length=8), nullable=False),
        sa.Column("answered_at", callcenter.database.UtcTime(), nullable=True),
        sa.Column("answered_by", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["one_id"], ["customers.id"], name=op.f("fk_likenesses_one_id_customers")),
        sa.ForeignKeyConstraint(["other_id"], ["customers.id"], name=op.f("fk_likenesses_other_id_customers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_likenesses")),
        sa.UniqueConstraint("one_id", "other_id", name=op.f("uq_likenesses_one_id")),
    )
    with op.batch_alter_table("likenesses", schema=None) as batch_op:
        batch_op.create_index("ix_likenesses_answer_weight", ["answer", "weight"], unique=False)
        batch_op.create_index(batch_op.f("ix_likenesses_other_id"), ["other_id"], unique=False)
    op.execute("DELETE FROM find_customers")  # filled again at the next start, with their signs
    op.execute("DELETE FROM find_engines")
