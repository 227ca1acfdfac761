"""Relations, owners, readings and warranty rules are kept."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "warranty_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clause", sa.String(length=12), nullable=False),
        sa.Column("sold_from", sa.Date(), nullable=False),
        sa.Column("sold_until", sa.Date(), nullable=True),
        sa.Column("family", sa.String(length=20), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=True),
        sa.Column("km", sa.Integer(), nullable=True),
        sa.Column("run_in_clause", sa.String(length=12), nullable=False),
        sa.Column("run_in_days", sa.Integer(), nullable=True),
        sa.Column("run_in_hours", sa.Integer(), nullable=True),
        sa.Column("zh", sa.String(length=200), nullable=False),
        sa.Column("en", sa.String(length=200), nullable=False),
        sa.Column("entered_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("entered_by", sa.String(length=40), nullable=False),
        sa.Column("ended_at", callcenter.database.UtcTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warranty_rules")),
    )
    op.create_table(
        "relations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("one_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["one_id"], ["customers.id"], name=op.f("fk_relations_one_id_customers")),
        sa.ForeignKeyConstraint(["other_id"], ["customers.id"], name=op.f("fk_relations_other_id_customers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relations")),
    )
    with op.batch_alter_table("relations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_relations_one_id"), ["one_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_relations_other_id"), ["other_id"], unique=False)

    op.create_table(
        "ownerships",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("engine_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_ownerships_customer_id_customers")),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_ownerships_engine_id_engines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownerships")),
    )
    with op.batch_alter_table("ownerships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ownerships_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ownerships_engine_id"), ["engine_id"], unique=False)

    op.create_table(
        "readings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("engine_id", sa.Integer(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("hours", sa.Integer(), nullable=True),
        sa.Column("km", sa.Integer(), nullable=True),
        sa.Column("hours_before", sa.Integer(), nullable=False),
        sa.Column("new_meter", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_readings_engine_id_engines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readings")),
    )
    with op.batch_alter_table("readings", schema=None) as batch_op:
        batch_op.create_index("ix_readings_engine_id_on_day", ["engine_id", "on_day"], unique=False)

    op.create_table(
        "record_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("engine_id", sa.Integer(), nullable=True),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_record_entries_customer_id_customers")
        ),
        sa.ForeignKeyConstraint(["engine_id"], ["engines.id"], name=op.f("fk_record_entries_engine_id_engines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_entries")),
    )
    with op.batch_alter_table("record_entries", schema=None) as batch_op:
        batch_op.create_index("ix_record_entries_customer_id_at", ["customer_id", "at"], unique=False)
        batch_op.create_index("ix_record_entries_engine_id_at", ["engine_id", "at"], unique=False)

    text = {"nullable": False, "server_default": ""}
    op.add_column("customers", sa.Column("code", sa.String(length=40), **text))
    op.add_column("customers", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("engines", sa.Column("plant", sa.String(length=40), **text))
    op.add_column("engines", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    for name, kind in (
        ("km", sa.Integer()),
        ("km_on", sa.Date()),
        ("run_in_on", sa.Date()),
        ("run_in_hours", sa.Integer()),
    ):
        op.add_column("engines", sa.Column(name, kind, nullable=True))
    for table, name in (("customers", "merged_into_id"), ("engines", "run_in_station_id")):
        # in one statement, which SQLite can do without making the table anew
        constraint = f"CONSTRAINT fk_{table}_{name}_customers REFERENCES customers (id)"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER {constraint}")
    op.create_index("ix_customers_code", "customers", ["code"])
    op.create_index("ix_customers_name", "customers", ["name"])
    op.create_index("ix_customers_merged_into_id", "customers", ["merged_into_id"])
    op.execute(
        "INSERT INTO ownerships (engine_id, customer_id, from_on, note) "
        "SELECT id, customer_id, sold_on, '' FROM engines WHERE customer_id IS NOT NULL"
    )
    op.execute(
        "INSERT INTO readings (engine_id, on_day, hours, hours_before, new_meter, source, by) "
        "SELECT id, hours_on, hours, 0, FALSE, 'record', '' FROM engines "
        "WHERE hours IS NOT NULL AND hours_on IS NOT NULL"
    )
