"""Callers owed a call back are found by index."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OWED = sa.text("call_back != ''")


def upgrade() -> None:
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(
            "ix_calls_call_back", ["started_at"], unique=False, sqlite_where=_OWED, postgresql_where=_OWED
        )


def downgrade() -> None:
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index("ix_calls_call_back", sqlite_where=_OWED, postgresql_where=_OWED)
