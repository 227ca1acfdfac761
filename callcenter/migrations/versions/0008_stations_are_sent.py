"""Stations are sent, step by step, and name who is on duty."""

import sqlalchemy as sa
from alembic import op

from callcenter.database import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dispatches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket_id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("km", sa.Double(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("words", sa.String(length=400), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=False),
        sa.Column("answer_by", UtcTime(), nullable=False),
        *(
            sa.Column(name, UtcTime(), nullable=True)
            for name in ("accepted_at", "eta_at", "left_at", "arrived_at", "ended_at")
        ),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_dispatches_station_id_stations")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_dispatches_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    op.create_index(op.f("ix_dispatches_ticket_id"), "dispatches", ["ticket_id"])
    op.create_index("ix_dispatches_station_id_state", "dispatches", ["station_id", "state"])
    op.create_table(
        "station_duties",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station_id", sa.Integer(), nullable=False),
        sa.Column("begins_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_station_duties_station_id_stations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_duties")),
    )
    op.create_index("ix_station_duties_station_id_ends_at", "station_duties", ["station_id", "ends_at"])


def downgrade() -> None:
    op.drop_table("station_duties")
    op.drop_table("dispatches")
