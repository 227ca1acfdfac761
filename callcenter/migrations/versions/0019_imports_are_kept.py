"""Imports are kept so that they can be undone."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("same", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("undone_at", callcenter.database.UtcTime(), nullable=True),
        sa.Column("undone_by", sa.String(length=40), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_table(
        "import_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=10), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("engine_id", sa.Integer(), nullable=True),
        sa.Column("ref_id", sa.Integer(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_import_steps_import_id_imports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_steps")),
    )
    with op.batch_alter_table("import_steps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_steps_import_id"), ["import_id"], unique=False)

    op.create_index("ix_engines_dealer_id", "engines", ["dealer_id"])
    op.create_index("ix_engines_run_in_station_id", "engines", ["run_in_station_id"])
