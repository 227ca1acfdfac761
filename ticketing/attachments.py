"""Photos and papers of a ticket or a call, from the desk or, by a link that ends, from the customer's own phone.

A file is what its first bytes say, never what its name says. It lies outside everything that is served, under a random
name; the name it came with is words to be shown.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, Index, String, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, changed
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import token_hash
from ticketing import tickets
from ticketing.installations import Installation
from ticketing.rows import IDS, Ticket
from ticketing.text import line

LARGEST = 10 * 1024 * 1024  # bytes
AT_MOST = 60  # files of one ticket
LINK_LASTS = timedelta(hours=4)
LINK_FILES = 20
SHOWN = frozenset({"image/jpeg", "image/png", "image/webp"})
"""What a browser may show in the page; everything else is a download."""


class Attachment(Base):
    """A file as it came in; never changed."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    call_id: Mapped[str | None] = mapped_column(String(150), index=True)
    installation_id: Mapped[int | None] = mapped_column(ForeignKey(Installation.id), index=True)
    name: Mapped[str] = mapped_column(String(120))  # as it came: words, never a path
    type: Mapped[str] = mapped_column(String(40))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(32), unique=True)  # what it is called on disk
    by: Mapped[str] = mapped_column(String(40), default="")  # login; empty: the customer, by a link
    at: Mapped[datetime]


class UploadLink(Base):
    """An address that lets whoever has it send photos to one ticket or call, for a while."""

    __tablename__ = "upload_links"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    call_id: Mapped[str | None] = mapped_column(String(150))
    by: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    files_left: Mapped[int] = mapped_column(default=LINK_FILES)

    __table_args__ = (Index("ix_upload_links_ticket_id", "ticket_id"),)


class WrongFile(BadInput):
    """Only photos (JPEG, PNG, WebP, HEIC) and PDF are taken; this file is something else."""


class FileTooLarge(CallCenterError):
    """This file is too large; 10 MB at most."""

    status = 413


class LinkOver(CallCenterError):
    """This link has ended; ask for a new one on the phone."""

    status = 410


def kind_of(head: bytes) -> str:
    """The type by the first bytes; WrongFile where it is none of ours."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc"):
        return "image/heic"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    raise WrongFile


def shown_name(name: str, kind: str) -> str:
    """The last part of the name it came with, as words."""
    last = line(re.split(r"[/\\]", name)[-1])[-100:].strip(". ")
    return last or {"application/pdf": "PDF"}.get(kind, "photo")


def add(
    db: Session,
    home: Path,
    content: bytes,
    name: str,
    *,
    by: str,
    now: datetime,
    ticket: Ticket | None = None,
    call_id: str | None = None,
    installation_id: int | None = None,
) -> Attachment:
    """Keep a file. The one there already is the answer where the very same comes again."""
    if len(content) > LARGEST:
        raise FileTooLarge
    kind = kind_of(content[:32])
    digest = hashlib.sha256(content).hexdigest()
    place = _of(ticket.id if ticket else None, call_id or (ticket.call_id if ticket else None))
    if installation_id is not None:
        place = Attachment.installation_id == installation_id
    there = db.scalars(select(Attachment).where(place)).all()
    again = next((one for one in there if one.sha256 == digest), None)
    if again is not None:
        return again
    if len(there) >= AT_MOST:
        raise BadInput("%(count)s files are enough", count=AT_MOST)
    key = secrets.token_hex(16)
    path = path_of(home, key)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    row = Attachment(
        ticket_id=ticket.id if ticket else None,
        call_id=call_id or (ticket.call_id if ticket else None),
        installation_id=installation_id,
        name=shown_name(name, kind),
        type=kind,
        size=len(content),
        sha256=digest,
        key=key,
        by=by,
        at=now,
    )
    db.add(row)
    db.flush()
    if ticket is not None:
        tickets.record(db, ticket, "attached", by=by, now=now, text=row.name, changes={"file": [None, row.id]})
    return row


def path_of(home: Path, key: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise NotFound("file")
    return home / "attachments" / key[:2] / key


def _of(ticket_id: int | None, call_id: str | None) -> Any:
    own = [Attachment.ticket_id == ticket_id] if ticket_id is not None else []
    if call_id:
        own.append(Attachment.call_id == call_id)
    return or_(*own) if own else Attachment.id < 0


def of_ticket(db: Session, ticket: Ticket) -> Sequence[Attachment]:
    """Its own, and those sent during its call."""
    return db.scalars(select(Attachment).where(_of(ticket.id, ticket.call_id)).order_by(Attachment.id)).all()


def of_call(db: Session, call_id: str) -> Sequence[Attachment]:
    return db.scalars(select(Attachment).where(Attachment.call_id == call_id).order_by(Attachment.id)).all()


def of_installations(db: Session, ids: Sequence[int]) -> dict[int, list[Attachment]]:
    """Papers by the entry of the installation file they belong to."""
    found: dict[int, list[Attachment]] = {}
    rows = select(Attachment).where(Attachment.installation_id.in_(ids)).order_by(Attachment.id)
    for one in db.scalars(rows) if ids else ():
        found.setdefault(one.installation_id or 0, []).append(one)
    return found


def load(db: Session, attachment_id: int) -> Attachment:
    found = db.get(Attachment, attachment_id) if attachment_id in IDS else None
    if found is None:
        raise NotFound("file")
    return found


# --- links -------------------------------------------------------------------------------------------------------


def make_link(
    db: Session, *, by: str, now: datetime, ticket_id: int | None = None, call_id: str | None = None
) -> tuple[str, UploadLink]:
    """A new address, shown this once."""
    if (ticket_id is None) == (call_id is None):
        raise ValueError("a link is for a ticket or for a call")
    token = secrets.token_urlsafe(18)
    row = UploadLink(
        token_hash=token_hash(token),
        ticket_id=ticket_id,
        call_id=call_id,
        by=by,
        made_at=now,
        expires_at=now + LINK_LASTS,
    )
    db.add(row)
    db.flush()
    return token, row


def link_of(db: Session, token: str, now: datetime) -> UploadLink:
    """LinkOver for one that has ended and for one that never was: nobody learns which."""
    row = None
    if 10 <= len(token) <= 64 and token.isascii():
        row = db.scalar(select(UploadLink).where(UploadLink.token_hash == token_hash(token)))
    if row is None or row.expires_at < now or row.files_left < 1:
        raise LinkOver
    return row


def add_by_link(db: Session, home: Path, link: UploadLink, content: bytes, name: str, *, now: datetime) -> Attachment:
    """What the customer sends; it lands at the ticket of the link, or at the ticket that its call has by now."""
    kind_of(content[:32])
    used = update(UploadLink).where(UploadLink.id == link.id, UploadLink.files_left > 0)
    if changed(db, used.values(files_left=UploadLink.files_left - 1)) != 1:
        raise LinkOver
    ticket = db.get(Ticket, link.ticket_id) if link.ticket_id is not None else None
    if ticket is None and link.call_id:
        ticket = db.scalar(select(Ticket).where(Ticket.call_id == link.call_id).order_by(Ticket.id.desc()).limit(1))
    return add(db, home, content, name, by="", now=now, ticket=ticket, call_id=link.call_id)
