"""Callers may be called back."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.add_column(sa.Column("call_back", sa.String(length=40), nullable=False, server_default=""))

    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("exit_key", sa.String(length=1), nullable=False, server_default="*"))


def downgrade() -> None:
    with op.batch_alter_table("queues", schema=None) as batch_op:
        batch_op.drop_column("exit_key")

    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_column("call_back")
