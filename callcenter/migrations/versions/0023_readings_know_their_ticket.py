"""Readings know their ticket."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("readings", sa.Column("ticket_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("readings", "ticket_id")
