"""The index of merged customers holds the merged ones only."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_customers_merged_into_id", "customers")
    merged = sa.text("merged_into_id IS NOT NULL")
    op.create_index(
        "ix_customers_merged_into_id",
        "customers",
        ["merged_into_id"],
        sqlite_where=merged,
        postgresql_where=merged,
    )
