"""Kept days say how they were counted. Those there are will be counted anew."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM kept_days")
    with op.batch_alter_table("kept_days", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("kept_days", schema=None) as batch_op:
        batch_op.drop_column("version")
