"""Tokens for other programs: whose each is, what it may be used for, and when it was used last.

A token never may more than its owner's role; its scopes say which part of that it may.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import JSON, ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base
from callcenter.errors import BadInput, NotFound
from config.people import User, token_hash


class ApiToken(Base):
    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    begins: Mapped[str] = mapped_column(String(8), default="")  # its first letters, to know it again
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


# --- scopes --------------------------------------------------------------------------------------------------------

AREAS = {
    "account": ("read", "write"),
    "agents": ("read", "write"),
    "calls": ("read", "write"),
    "campaigns": ("read", "write"),
    "customers": ("read", "write"),
    "engines": ("read", "write"),
    "events": ("read",),
    "imports": ("read", "write"),
    "knowledge": ("read", "write"),
    "parts": ("read", "write"),
    "quality": ("read", "write"),
    "queues": ("read", "write"),
    "reports": ("read",),
    "settings": ("read", "write"),
    "stations": ("read", "write"),
    "tickets": ("read", "write"),
    "users": ("read", "write"),
    "warranty": ("write",),
    "webhooks": ("read", "write"),
}
SCOPES = tuple(f"{area}:{verb}" for area, verbs in AREAS.items() for verb in verbs)
"""What a token can be made for; writing includes reading."""
BOTH = frozenset({"account", "agents", "imports", "settings", "tickets", "users"})
"""Permissions that let people read and change; of a token either is a scope."""
_NAMED_OTHERWISE = {
    "desk": "calls:write",
    "recordings": "calls:read",
    "board": "reports:read",
    "campaigns": "campaigns:write",
    "quality": "quality:write",
}


def scope_of(permission: str, *, writes: bool = False) -> str:
    """The scope a token needs for what this permission allows people: tickets.write is tickets:write.

    ``writes``: to change something by one of the permissions in BOTH.
    """
    area, _, verb = permission.partition(".")
    return _NAMED_OTHERWISE.get(permission, f"{area}:{'write' if writes or verb == 'write' else 'read'}")


def reaches(scopes: Iterable[str], scope: str) -> bool:
    held = set(scopes)
    return scope in held or scope.replace(":read", ":write") in held


class NoSuchScope(BadInput):
    """A token is made for at least one of the scopes listed, and for no other."""


# --- tokens ----------------------------------------------------------------------------------------------------------

USED_EVERY = timedelta(minutes=1)
LONGEST = timedelta(days=3660)


def create(
    db: Session,
    user: User,
    name: str,
    now: datetime,
    *,
    scopes: Iterable[str] = SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """A bearer token for the API, shown this once."""
    asked = set(scopes)
    name = " ".join(name.split())
    if not asked or not asked <= set(SCOPES):
        raise NoSuchScope(", ".join(sorted(asked - set(SCOPES)))[:200])
    if not name or len(name) > 80 or not name.isprintable():
        raise BadInput("a token's name has 1 to 80 characters")
    if expires_at is not None and not now < expires_at < now + LONGEST:
        raise BadInput("a token ends in the future, within ten years")
    token = f"cc_{secrets.token_urlsafe(32)}"
    row = ApiToken(
        user_id=user.id,
        name=name,
        begins=token[:8],
        token_hash=token_hash(token),
        scopes=[scope for scope in SCOPES if scope in asked],
        created_at=now,
        expires_at=expires_at,
    )
    db.add(row)
    db.flush()
    return token


def found(db: Session, token: str, now: datetime) -> tuple[User, ApiToken] | None:
    """Whose token this is and what it is for; None for one that is unknown, ended or too old. Changes nothing."""
    row = db.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(ApiToken.token_hash == token_hash(token), ApiToken.ended_at.is_(None), User.active)
        .where(ApiToken.expires_at.is_(None) | (ApiToken.expires_at > now))
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def unseen(token: ApiToken, now: datetime) -> bool:
    """Whether it is time to write down that the token was used (``seen``); once a minute is enough."""
    return token.used_at is None or now - token.used_at >= USED_EVERY


def seen(db: Session, token: ApiToken, now: datetime) -> None:
    db.execute(update(ApiToken).where(ApiToken.id == token.id).values(used_at=now))


def end(db: Session, token_id: int, now: datetime, user: User | None = None) -> None:
    """NotFound unless it is still good, and this user's if one is named."""
    mine = (ApiToken.id == token_id) & ApiToken.ended_at.is_(None)
    if user is not None:
        mine &= ApiToken.user_id == user.id
    if not db.scalars(update(ApiToken).where(mine).values(ended_at=now).returning(ApiToken.id)).all():
        raise NotFound("token %(token_id)s", token_id=token_id)
