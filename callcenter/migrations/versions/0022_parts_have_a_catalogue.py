"""Parts have a catalogue."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column(
            "spelt",
            sa.String(length=40).with_variant(sa.String(length=40, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "zh", sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("en", sa.String(length=120), nullable=False),
        sa.Column("superseded_by", sa.String(length=40), nullable=False),
        sa.Column("superseded_on", sa.Date(), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parts")),
        sa.UniqueConstraint("spelt", name=op.f("uq_parts_spelt")),
    )
    with op.batch_alter_table("parts", schema=None) as batch_op:
        batch_op.create_index("ix_parts_superseded_by", ["superseded_by"], unique=False)

    op.create_table(
        "part_fits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("part_id", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["part_id"], ["parts.id"], name=op.f("fk_part_fits_part_id_parts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_part_fits")),
        sa.UniqueConstraint("part_id", "family", name=op.f("uq_part_fits_part_id")),
    )
    with op.batch_alter_table("part_fits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_part_fits_family"), ["family"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE find_parts USING fts5(tokens, detail=none, columnsize=0)")
    else:
        op.execute("CREATE TABLE find_parts (id INTEGER PRIMARY KEY, tokens TEXT[] NOT NULL)")
        op.execute("CREATE INDEX ix_find_parts_tokens ON find_parts USING gin (tokens)")
