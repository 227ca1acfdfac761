"""Everything is found by part of its words, and what begins so by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("find_customers", "find_engines", "find_tickets")


def upgrade() -> None:
    op.add_column("customers", sa.Column("sound", sa.String(length=400), nullable=False, server_default=""))
    op.execute("UPDATE customers SET sound = replace(pinyin, ' ', '')")
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            op.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(tokens, detail=none, columnsize=0)")
    else:
        for table, column, length in (
            ("customers", "name", 120),
            ("customers", "sound", 400),
            ("customers", "initials", 120),
            ("tickets", "number", 20),
        ):
            op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR({length}) COLLATE "C"')
        for table in TABLES:
            op.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, tokens TEXT[] NOT NULL)")
            op.execute(f"CREATE INDEX ix_{table}_tokens ON {table} USING gin (tokens)")
    op.create_index("ix_customers_sound", "customers", ["sound"])
