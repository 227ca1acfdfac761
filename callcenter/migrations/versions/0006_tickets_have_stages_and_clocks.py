"""Tickets have stages and clocks, stations a place; calendars and words are rows."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, longest in (("calendar_edits", 40), ("catalogue_edits", 80)):
        op.create_table(
            table,
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("at", callcenter.database.UtcTime(), nullable=False),
            sa.Column("by", sa.String(length=40), nullable=False),
            sa.Column("subject", sa.String(length=longest), nullable=False),
            sa.Column("value", sa.JSON(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        )
    op.add_column("stations", sa.Column("latitude", sa.Double(), nullable=True))
    op.add_column("stations", sa.Column("longitude", sa.Double(), nullable=True))
    op.add_column("stations", sa.Column("opens", sa.String(length=80), nullable=False, server_default=""))
    op.add_column("stations", sa.Column("crews", sa.Integer(), nullable=False, server_default="2"))
    op.add_column("stations", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("tickets", sa.Column("stage", sa.String(length=30), nullable=False, server_default="new"))
    op.add_column("tickets", sa.Column("stage_at", callcenter.database.UtcTime(), nullable=True))
    op.add_column("tickets", sa.Column("level", sa.Integer(), nullable=False, server_default="0"))
    for name in ("response_due_at", "responded_at", "solved_at"):
        op.add_column("tickets", sa.Column(name, callcenter.database.UtcTime(), nullable=True))
    op.add_column("tickets", sa.Column("left_s", sa.Integer(), nullable=True))
    tickets = sa.table(
        "tickets", *map(sa.column, ("stage", "state", "stage_at", "opened_at", "solved_at", "closed_at"))
    )
    op.execute(tickets.update().where(tickets.c.state != "open").values(stage=tickets.c.state))
    op.execute(tickets.update().values(stage_at=tickets.c.opened_at, solved_at=tickets.c.closed_at))


def downgrade() -> None:
    for name in ("left_s", "solved_at", "responded_at", "response_due_at", "level", "stage_at", "stage"):
        op.drop_column("tickets", name)
    for name in ("active", "crews", "opens", "longitude", "latitude"):
        op.drop_column("stations", name)
    op.drop_table("catalogue_edits")
    op.drop_table("calendar_edits")
