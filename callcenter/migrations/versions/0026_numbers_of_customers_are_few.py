"""The index of customers' numbers holds those that have one only."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_customers_code", "customers")
    there = sa.text("code != ''")
    op.create_index("ix_customers_code", "customers", ["code"], sqlite_where=there, postgresql_where=there)
