"""The state of an import has room for every word it may hold."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("imports") as imports:
        imports.alter_column("state", existing_type=sa.String(8), type_=sa.String(10), existing_nullable=False)
