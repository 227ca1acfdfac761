"""Agents' days are kept by quarter hour; those kept before are counted anew, their version is an older one."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent_quarters",
        sa.Column("agent", sa.String(length=10), nullable=False),
        sa.Column("day_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("quarters", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "day_at"),
    )
