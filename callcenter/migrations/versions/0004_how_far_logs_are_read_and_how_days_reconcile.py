"""Log files know how far they are read, and each day how it was reconciled."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "log_files",
        sa.Column("switch", sa.String(length=40), nullable=False),
        sa.Column("file", sa.String(length=40), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("read_at", callcenter.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("switch", "file", name=op.f("pk_log_files")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("looked_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_reconciliations")),
    )


def downgrade() -> None:
    op.drop_table("reconciliations")
    op.drop_table("log_files")
