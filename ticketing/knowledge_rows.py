"""The rows of what is known: articles with every version of them, where they helped, and guides with their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.database import Base


class Article(Base):
    """What to tell, or to do, about something; one row per language."""

    __tablename__ = "articles"

    id: Mapped[int] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(5))
    title: Mapped[str] = mapped_column(String(200))
    faults: Mapped[list[str]] = mapped_column(JSON, default=list)  # codes of the form's dictionary, or of the engine's
    words: Mapped[str] = mapped_column(String(400), default="")  # what people say for it
    body: Mapped[str] = mapped_column(Text)
    found_by: Mapped[str] = mapped_column(Text)  # all of this in small letters, with pinyin and initials
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)
    changed_by: Mapped[str] = mapped_column(String(40))
    changed_at: Mapped[datetime]


class ArticleVersion(Base):
    """An article as it was; never changed."""

    __tablename__ = "article_versions"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    faults: Mapped[list[str]] = mapped_column(JSON, default=list)
    words: Mapped[str] = mapped_column(String(400), default="")
    body: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(Boolean)
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("article_id", "version"),)


class ArticleUse(Base):
    """An article solved something in a call or for a ticket; counted, never a counter."""

    __tablename__ = "article_uses"

    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey("articles.id"), index=True)
    version: Mapped[int]  # what was read
    call_id: Mapped[str | None] = mapped_column(String(150), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]


class Guide(Base):
    """Questions one after the other, each answer leading on; see ``guides`` for how the steps are written."""

    __tablename__ = "guides"

    id: Mapped[int] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(5))
    title: Mapped[str] = mapped_column(String(200))
    faults: Mapped[list[str]] = mapped_column(JSON, default=list)
    text: Mapped[str] = mapped_column(Text)  # as written; the steps are read from it
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)
    changed_by: Mapped[str] = mapped_column(String(40))
    changed_at: Mapped[datetime]


class GuideAnswer(Base):
    """What was answered at one step, in the words of then: the guide may be written anew, this stays."""

    __tablename__ = "guide_answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    guide_id: Mapped[int] = mapped_column(ForeignKey("guides.id"))
    version: Mapped[int]
    call_id: Mapped[str | None] = mapped_column(String(150))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    step: Mapped[str] = mapped_column(String(40))
    ask: Mapped[str] = mapped_column(String(500))
    answer: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]

    __table_args__ = (
        Index("ix_guide_answers_call_id", "call_id"),
        Index("ix_guide_answers_ticket_id", "ticket_id"),
    )
