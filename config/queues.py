"""Queues and their targets, who serves them, and the numbers people dial (DIDs)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput, NotFound
from config.people import QueueMember, User


class Queue(Base):
    """One waiting line. ``name`` is what the switch calls it."""

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    title_zh: Mapped[str] = mapped_column(String(80))
    title_en: Mapped[str] = mapped_column(String(80))
    strategy: Mapped[str] = mapped_column(String(20), default="rrmemory")
    ring_s: Mapped[int] = mapped_column(default=15)  # how long one agent is rung
    max_wait_s: Mapped[int] = mapped_column(default=600)  # then the caller leaves by the way out
    exit_key: Mapped[str] = mapped_column(String(1), default="*")  # leaves it, to be called back; empty: none does
    wrap_up_s: Mapped[int] = mapped_column(default=60)
    target_s: Mapped[int] = mapped_column(default=20)  # service level: answered within
    target_share: Mapped[float] = mapped_column(default=0.8)
    short_abandon_s: Mapped[int] = mapped_column(default=5)
    service_level: Mapped[str] = mapped_column(String(3), default="")  # sl1 … sl8; empty: what the settings say
    ticket_kind: Mapped[str] = mapped_column(String(12), default="inquiry")
    version: Mapped[int] = mapped_column(default=1)  # of its definitions; rises with each change that is kept

    def title(self, language: str) -> str:
        return self.title_zh if language == "zh" else self.title_en


class QueueChange(Base):
    """One change of a queue's definitions, kept for ever."""

    __tablename__ = "queue_changes"

    queue: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from now on
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))  # login
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)  # {field: [before, from now on]}


class Did(Base):
    """A number people dial: the flow that greets, the language, and the queue when no flow answers."""

    __tablename__ = "dids"

    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    flow: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(5), default="zh")
    default_queue: Mapped[str] = mapped_column(String(40))


def list_queues(db: Session) -> list[Queue]:
    return list(db.scalars(select(Queue).order_by(Queue.name)))


def titles(db: Session, language: str) -> dict[str, str]:
    """What people call each queue, by its name."""
    return {queue.name: queue.title(language) for queue in list_queues(db)}


def load_queue(db: Session, name: str) -> Queue:
    queue = db.get(Queue, name)
    if queue is None:
        raise NotFound("queue %(name)s", name=name)
    return queue


def create_queue(db: Session, name: str, title_zh: str, title_en: str, **settings: object) -> Queue:
    """BadInput where the switch could not call a queue so, or one is called so already."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
        raise BadInput("a queue's name has small Latin letters, digits, - and _")
    if db.get(Queue, name) is not None:
        raise BadInput("there is a queue %(name)s already", name=name)
    queue = Queue(name=name, title_zh=title_zh, title_en=title_en, **settings)
    db.add(queue)
    db.flush()
    return queue


def list_numbers(db: Session) -> list[Did]:
    return list(db.scalars(select(Did).order_by(Did.number)))


def put_number(db: Session, number: str, title: str, flow: str, language: str, default_queue: str) -> Did:
    """A number people dial, new or changed; who calls the IVR is taken at his word that there is such a flow."""
    if not re.fullmatch(r"[0-9+*#]{1,32}", number):
        raise BadInput("%(number)s is not a number to dial", number=repr(number[:40]))
    if language not in ("zh", "en"):
        raise BadInput("language %(language)s; one of %(choices)s", language=repr(language[:10]), choices="zh, en")
    did = db.get(Did, number) or Did(number=number)
    did.title, did.flow, did.language = title[:80], flow, language
    did.default_queue = load_queue(db, default_queue).name
    db.add(did)
    db.flush()
    return did


def members(db: Session, queue: str) -> list[tuple[QueueMember, User]]:
    """Who serves the queue, the first to be asked first; people who may no longer log in are left out."""
    rows = db.execute(
        select(QueueMember, User)
        .join(User, User.extension == QueueMember.extension)
        .where(QueueMember.queue == queue, User.active)
        .order_by(QueueMember.penalty, QueueMember.extension)
    )
    return [(member, user) for member, user in rows]


def set_member(db: Session, queue: str, extension: str, penalty: int = 0) -> QueueMember:
    """Make the agent serve the queue, or change how soon he is asked (0 first)."""
    load_queue(db, queue)
    if not 0 <= penalty <= 100:
        raise BadInput("a penalty is 0 to 100")
    if db.scalar(select(User.id).where(User.extension == extension)) is None:
        raise NotFound("extension %(extension)s", extension=extension)
    member = db.scalar(select(QueueMember).where(QueueMember.queue == queue, QueueMember.extension == extension))
    if member is None:
        member = QueueMember(queue=queue, extension=extension)
        db.add(member)
    member.penalty = penalty
    db.flush()
    return member


def agents(db: Session) -> list[User]:
    """Who can serve a queue: everybody with an extension who may log in."""
    return list(db.scalars(select(User).where(User.extension.is_not(None), User.active).order_by(User.extension)))


def served(db: Session) -> dict[tuple[str, str], int]:
    """At which level an agent (his extension) serves a queue, where he does."""
    rows = db.execute(select(QueueMember.extension, QueueMember.queue, QueueMember.penalty))
    return {(extension, queue): penalty for extension, queue, penalty in rows}


def remove_member(db: Session, queue: str, extension: str) -> None:
    db.execute(delete(QueueMember).where(QueueMember.queue == queue, QueueMember.extension == extension))
