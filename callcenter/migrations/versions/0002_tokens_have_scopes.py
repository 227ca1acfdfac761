"""Tokens have scopes, and what was sent once is remembered."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ALL = (  # what a token was for before it had scopes
    '["agents:write", "calls:write", "customers:write", "engines:write", "tickets:write", "reports:read"]'
)


def upgrade() -> None:
    op.create_table(
        "sent_once",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["api_tokens.id"], name=op.f("fk_sent_once_token_id_api_tokens")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sent_once")),
        sa.UniqueConstraint("token_id", "key", name=op.f("uq_sent_once_token_id")),
    )
    with op.batch_alter_table("sent_once", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sent_once_at"), ["at"], unique=False)

    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("begins", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("scopes", sa.JSON(), nullable=False, server_default=_ALL))
        batch_op.add_column(sa.Column("expires_at", callcenter.database.UtcTime(), nullable=True))
        batch_op.add_column(sa.Column("used_at", callcenter.database.UtcTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_column("used_at")
        batch_op.drop_column("expires_at")
        batch_op.drop_column("scopes")
        batch_op.drop_column("begins")

    with op.batch_alter_table("sent_once", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sent_once_at"))

    op.drop_table("sent_once")
