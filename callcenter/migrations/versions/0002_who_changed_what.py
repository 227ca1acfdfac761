"""A ticket's entries say which fields changed and how; ticket numbers are counted in their own table."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket_series",
        sa.Column("series", sa.String(length=12), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_ticket_series")),
    )
    with op.batch_alter_table("ticket_entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("changes", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    with op.batch_alter_table("ticket_entries", schema=None) as batch_op:
        batch_op.drop_column("version")
        batch_op.drop_column("changes")
    op.drop_table("ticket_series")
