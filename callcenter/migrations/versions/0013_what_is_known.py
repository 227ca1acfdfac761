"""What is known."""

import sqlalchemy as sa
from alembic import op

import callcenter.database

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "articles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("words", sa.String(length=400), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(length=40), nullable=False),
        sa.Column("changed_at", callcenter.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
    )
    op.create_table(
        "guides",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(length=40), nullable=False),
        sa.Column("changed_at", callcenter.database.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guides")),
    )
    op.create_table(
        "article_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("words", sa.String(length=400), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_versions_article_id_articles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_versions")),
        sa.UniqueConstraint("article_id", "version", name=op.f("uq_article_versions_article_id")),
    )
    op.create_table(
        "article_uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name=op.f("fk_article_uses_article_id_articles")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_article_uses_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_uses")),
    )
    with op.batch_alter_table("article_uses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_article_uses_article_id"), ["article_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_article_uses_call_id"), ["call_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_article_uses_ticket_id"), ["ticket_id"], unique=False)

    op.create_table(
        "guide_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("guide_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=150), nullable=True),
        sa.Column("ticket_id", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("ask", sa.String(length=500), nullable=False),
        sa.Column("answer", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", callcenter.database.UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["guide_id"], ["guides.id"], name=op.f("fk_guide_answers_guide_id_guides")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_guide_answers_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guide_answers")),
    )
    with op.batch_alter_table("guide_answers", schema=None) as batch_op:
        batch_op.create_index("ix_guide_answers_call_id", ["call_id"], unique=False)
        batch_op.create_index("ix_guide_answers_ticket_id", ["ticket_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("guide_answers", schema=None) as batch_op:
        batch_op.drop_index("ix_guide_answers_ticket_id")
        batch_op.drop_index("ix_guide_answers_call_id")

    op.drop_table("guide_answers")
    with op.batch_alter_table("article_uses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_article_uses_ticket_id"))
        batch_op.drop_index(batch_op.f("ix_article_uses_call_id"))
        batch_op.drop_index(batch_op.f("ix_article_uses_article_id"))

    op.drop_table("article_uses")
    op.drop_table("article_versions")
    op.drop_table("guides")
    op.drop_table("articles")
