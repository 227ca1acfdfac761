"""Drafts are kept, a window has the phone, and legs say how their line was."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("login", sa.String(length=80), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=False),
        sa.Column("form", sa.String(length=20), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("login", "call_id", "form", "window", name=op.f("pk_drafts")),
    )
    op.create_table(
        "phone_windows",
        sa.Column("extension", sa.String(length=10), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("extension", name=op.f("pk_phone_windows")),
    )
    op.create_table(
        "line_checks",
        sa.Column("login", sa.String(length=80), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_line_checks")),
    )
    with op.batch_alter_table("legs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("line", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("legs", schema=None) as batch_op:
        batch_op.drop_column("line")
    op.drop_table("line_checks")
    op.drop_table("phone_windows")
    op.drop_table("drafts")
