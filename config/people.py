"""Users, their roles and what these allow, passwords, log-ins and sessions."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from callcenter.database import Base, Database
from callcenter.errors import BadInput, CallCenterError, NotFound


class Role(StrEnum):
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    QA = "qa"
    CAMPAIGN = "campaign"  # campaign manager
    ADMIN = "admin"


class User(Base):
    """A person who logs in. One with an ``extension`` takes calls; that is his name on the switch."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))  # argon2id
    role: Mapped[str] = mapped_column(String(12))
    language: Mapped[str] = mapped_column(String(5), default="zh")
    extension: Mapped[str | None] = mapped_column(String(10), unique=True)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime]

    def may(self, permission: str) -> bool:
        """Whether his role allows it; the desk also takes an extension."""
        return may(self.role, permission) and (permission != "desk" or self.extension is not None)


class LoginSession(Base):
    """A browser that is logged in; the row is what makes the cookie good, so ending the row ends the session."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # sha256 of the cookie
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """A failed log-in; so many of one name or address within a while and the next must wait."""

    __tablename__ = "login_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    login: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(45))

    __table_args__ = (
        Index("ix_login_attempts_login_at", "login", "at"),
        Index("ix_login_attempts_address_at", "address", "at"),
    )


class QueueMember(Base):
    """Which agent serves which queue; the lower the penalty the sooner he is asked."""

    __tablename__ = "queue_members"

    id: Mapped[int] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(ForeignKey("queues.name"))
    extension: Mapped[str] = mapped_column(String(10))
    penalty: Mapped[int] = mapped_column(Integer, default=0)

    __table_args__ = (UniqueConstraint("queue", "extension"),)


# --- who may do what ---------------------------------------------------------------------------------------------

_ALL = frozenset(Role)
_LEADS = frozenset({Role.SUPERVISOR, Role.ADMIN})
_DESK = _LEADS | {Role.AGENT}

PERMISSIONS: dict[str, frozenset[Role]] = {
    "account": _ALL,  # one's own: language, log-out
    "desk": _DESK,  # takes calls; with an extension only
    "board": _LEADS,
    "reports": _LEADS | {Role.QA, Role.CAMPAIGN},
    "calls": _ALL,  # an agent sees his own only
    "calls.all": _LEADS | {Role.QA},
    "recordings": _DESK | {Role.QA},
    "customers": _ALL,
    "customers.write": _DESK,
    "customers.merge": _DESK,  # two records of one customer; can be undone
    "engines": _ALL,
    "engines.write": _DESK,
    "warranty.write": _LEADS,
    "parts": _ALL,
    "parts.write": _LEADS,
    "imports": _LEADS,  # sheets of records, in and out
    "tickets": _ALL,  # a campaign manager sees follow-ups only
    "tickets.write": _DESK,
    "tickets.all": _DESK | {Role.QA},
    "diaries": _LEADS,  # other people's
    "agents": _LEADS,
    "events": _ALL,  # of what else the role may see
    "knowledge": _ALL,
    "knowledge.write": _LEADS | {Role.QA},
    "queues.write": _LEADS,
    "campaigns": _LEADS | {Role.CAMPAIGN},
    "quality": _LEADS | {Role.QA},
    "users": frozenset({Role.ADMIN}),
    "settings": frozenset({Role.ADMIN}),
    "webhooks": frozenset({Role.ADMIN}),
    "webhooks.write": frozenset({Role.ADMIN}),
}
"""What is not listed is not allowed."""


def may(role: str, permission: str) -> bool:
    """Whether a role allows it; KeyError for a permission nobody has defined."""
    return role in PERMISSIONS[permission]


# --- passwords and log-in ----------------------------------------------------------------------------------------


class WrongLogin(CallCenterError):
    """Login or password is wrong."""

    status = 401


class TooManyAttempts(CallCenterError):
    """Too many failed log-ins; wait and try again."""

    status = 429

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"in {wait_s} s")


class WeakPassword(BadInput):
    """A password needs at least 10 characters, and neither the login nor one character only."""


class NotTheSame(BadInput):
    """The new password was not written the same twice."""


class LoginTaken(BadInput):
    """This login or extension belongs to somebody already."""


class HasExtension(BadInput):
    """This user has an extension already, to which calls and figures are tied; make another account for another one."""


PASSWORDS = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id with 19 MiB and two passes: some 30 ms of one core."""
_NOBODY = PASSWORDS.hash(secrets.token_hex(16))  # what an unknown login is checked against, in the same time
_PASSWORD_LENGTH = range(10, 129)

ATTEMPTS_WITHIN = timedelta(minutes=5)
ATTEMPTS_HERE = 10  # at one login from one address: the colleague at the next desk cannot lock anybody out
ATTEMPTS_OF_ONE_LOGIN = 50
ATTEMPTS_OF_ONE_ADDRESS = 50  # behind which a whole office may stand
_TURN = 0x10C1  # the name of PostgreSQL's lock around counting attempts


def new_password() -> str:
    """A random one, to be said once and changed; no letters that look alike."""
    return "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(5)) for _ in range(3))


def create_user(
    db: Session,
    login: str,
    name: str,
    role: str,
    password: str,
    now: datetime,
    *,
    language: str = "zh",
    extension: str | None = None,
) -> User:
    login = login.strip().lower()
    if not login or not login.isascii() or len(login) > 40 or any(char.isspace() for char in login):
        raise BadInput("a login has 1 to 40 Latin letters, digits or signs")
    _fit(name, extension)
    if db.scalar(select(func.count()).select_from(User).where(User.login == login)):
        raise LoginTaken(login)
    if extension is not None and db.scalar(select(func.count()).select_from(User).where(User.extension == extension)):
        raise LoginTaken(extension)
    user = User(
        login=login,
        name=name.strip(),
        role=Role(role).value,
        password_hash=_hashed(login, password),
        language=language,
        extension=extension,
        created_at=now,
    )
    db.add(user)
    db.flush()
    return user


def change_user(db: Session, user: User, *, name: str, role: str, extension: str | None = None) -> None:
    """What a user is called and may do; an extension is given and never taken away, since calls are tied to it."""
    _fit(name, extension)
    if extension is not None and extension != user.extension:
        if user.extension is not None:
            raise HasExtension(user.extension)
        if db.scalar(select(func.count()).select_from(User).where(User.extension == extension)):
            raise LoginTaken(extension)
    values = {"name": name.strip(), "role": Role(role).value, "extension": extension or user.extension}
    db.execute(update(User).where(User.id == user.id).values(**values))


def _fit(name: str, extension: str | None) -> None:
    if not name.strip() or len(name) > 80:
        raise BadInput("a name has 1 to 80 characters")
    if extension is not None and not (extension.isascii() and extension.isdigit() and 2 <= len(extension) <= 10):
        raise BadInput("an extension has 2 to 10 digits")


def user_of(db: Session, login: str) -> User:
    user = db.scalar(select(User).where(User.login == login.strip().lower()))
    if user is None:
        raise NotFound("user %(login)s", login=login)
    return user


def names(db: Session) -> dict[str, str]:
    """What people are called, by login; those who have left as well."""
    return {row[0]: row[1] for row in db.execute(select(User.login, User.name))}


def set_password(db: Session, user: User, password: str, now: datetime, keep: LoginSession | None = None) -> None:
    """Every session of the user ends with the old password, but for ``keep``, in which he chose the new one."""
    hashed = _hashed(user.login, password)
    db.execute(update(User).where(User.id == user.id).values(password_hash=hashed))
    end_all_sessions(db, user, now, keep)


def set_language(db: Session, user: User, language: str) -> None:
    db.execute(update(User).where(User.id == user.id).values(language=language))


def set_active(db: Session, user: User, active: bool, now: datetime) -> None:
    """Let a user in, or keep him out from now on: his sessions end, his tokens stop working while he is out."""
    db.execute(update(User).where(User.id == user.id).values(active=active))
    if not active:
        end_all_sessions(db, user, now)


def authenticate(database: Database, login: str, password: str, address: str, now: datetime) -> User:
    """The user, if login and password are right; WrongLogin, or TooManyAttempts with the seconds to wait.

    In transactions of its own: the attempt is on record before the password is looked at, so that neither a rollback
    nor a thousand attempts at once get past the limit, and no transaction is open while the hash is computed.
    """
    login = "".join(char for char in login if char.isprintable()).strip().lower()[:40]
    with database.write() as db:
        if not database.is_sqlite:  # whose writers take turns anyway: here one counts after the other, too
            db.execute(select(func.pg_advisory_xact_lock(_TURN)))
        throttle(db, login, address, now)
        attempt = LoginAttempt(at=now, login=login, address=address[:45])
        db.add(attempt)
        user = db.scalar(select(User).where(User.login == login, User.active))
    fits = _fits(user.password_hash if user else _NOBODY, password)
    if user is None or not fits:
        raise WrongLogin
    with database.write() as db:
        db.execute(delete(LoginAttempt).where(LoginAttempt.login == login))
        if PASSWORDS.check_needs_rehash(user.password_hash):
            db.execute(update(User).where(User.id == user.id).values(password_hash=PASSWORDS.hash(_bytes(password))))
    return user


def throttle(db: Session, login: str, address: str, now: datetime) -> None:
    """TooManyAttempts while this login, or this address, has failed too often of late."""
    since = now - ATTEMPTS_WITHIN
    db.execute(delete(LoginAttempt).where(LoginAttempt.at <= since))
    of_login, of_address = LoginAttempt.login == login, LoginAttempt.address == address[:45]
    for whose, limit in (
        (of_login & of_address, ATTEMPTS_HERE),
        (of_login, ATTEMPTS_OF_ONE_LOGIN),
        (of_address, ATTEMPTS_OF_ONE_ADDRESS),
    ):
        newest = select(LoginAttempt.at).where(whose).order_by(LoginAttempt.at.desc())
        # The limit is met while the limit-th newest attempt is still of late.
        at = db.scalar(newest.offset(limit - 1).limit(1))
        if at is not None:
            raise TooManyAttempts(max(1, round((at + ATTEMPTS_WITHIN - now).total_seconds())))


def _hashed(login: str, password: str) -> str:
    if len(password) not in _PASSWORD_LENGTH or len(set(password)) == 1 or login in password.lower():
        raise WeakPassword
    return PASSWORDS.hash(_bytes(password))


def _bytes(password: str) -> bytes:
    """A form may send what is no text; it is no password then, but no fault of ours either."""
    return password.encode("utf-8", "surrogatepass")


def _fits(hashed: str, password: str) -> bool:
    try:
        return PASSWORDS.verify(hashed, _bytes(password[: _PASSWORD_LENGTH.stop]))
    except (VerificationError, InvalidHashError):
        return False


# --- sessions --------------------------------------------------------------------------------------------------

SESSION_LASTS = timedelta(hours=12)
SESSION_IDLE = timedelta(hours=2)
SEEN_EVERY = timedelta(minutes=1)


def start_session(db: Session, user: User, now: datetime) -> tuple[str, LoginSession]:
    """The cookie's value, which is kept nowhere here, and the row that makes it good."""
    token = secrets.token_urlsafe(32)
    session = LoginSession(
        token_hash=token_hash(token), user_id=user.id, csrf=secrets.token_urlsafe(32), created_at=now, seen_at=now
    )
    db.add(session)
    db.flush()
    return token, session


def session_user(
    db: Session, token: str, now: datetime, lasts: timedelta = SESSION_LASTS, idle: timedelta = SESSION_IDLE
) -> tuple[User, LoginSession] | None:
    """Whose cookie this is; None for one that is unknown, ended, too old or too long unused. Changes nothing."""
    found = db.execute(
        select(User, LoginSession)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(LoginSession.token_hash == token_hash(token), LoginSession.ended_at.is_(None), User.active)
        .where(LoginSession.created_at > now - lasts, LoginSession.seen_at > now - idle)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def session_unseen(session: LoginSession, now: datetime) -> bool:
    """Whether it is time to write down that the session was used (``session_seen``); once a minute is enough."""
    return now - session.seen_at >= SEEN_EVERY


def session_seen(db: Session, session: LoginSession, now: datetime) -> None:
    mine = LoginSession.token_hash == session.token_hash
    db.execute(update(LoginSession).where(mine, LoginSession.seen_at < now).values(seen_at=now))


def end_session(db: Session, token: str, now: datetime) -> None:
    mine = LoginSession.token_hash == token_hash(token)
    db.execute(update(LoginSession).where(mine, LoginSession.ended_at.is_(None)).values(ended_at=now))


def end_all_sessions(db: Session, user: User, now: datetime, keep: LoginSession | None = None) -> int:
    """Log the user out everywhere, or everywhere else; the answer is how many sessions that were."""
    still = (LoginSession.user_id == user.id) & LoginSession.ended_at.is_(None)
    if keep is not None:
        still &= LoginSession.token_hash != keep.token_hash
    ended = db.scalars(update(LoginSession).where(still).values(ended_at=now).returning(LoginSession.token_hash))
    return len(ended.all())


def token_hash(token: str) -> str:
    """What is kept of a token: whoever reads the database cannot use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
