"""Who may log in, over the API: accounts made, shut and thrown out, and tokens ended. Tokens are made on the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.api.access import Holder, HolderHere, TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut, number, page
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter.database import now
from callcenter.errors import NotFound
from callcenter.events import Event
from config import people, tokens
from config.people import PERMISSIONS, Role
from config.tokens import ApiToken
from ticketing import reowning, tickets

router = APIRouter(prefix="/v1", tags=["users"])


class User(Shape):
    id: int
    login: str
    name: str
    role: str
    language: str
    extension: str | None
    active: bool
    created_at: datetime


class Me(User):
    permissions: list[str] = Field(description="What the role allows; of a token, as far as its scopes reach.")
    scopes: list[str]


class MadeUser(User):
    password: str = Field(description="To be said once and changed; told this once.")


class NewUser(Sent):
    login: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=80)
    role: Role
    language: Literal["zh", "en"] = "zh"
    extension: str | None = Field(None, max_length=10)


class UserChange(Sent):
    name: str | None = Field(None, min_length=1, max_length=80)
    role: Role | None = None
    extension: str | None = Field(
        None, max_length=10, description="Given to one who has none; never changed or taken away."
    )


class Language(Sent):
    language: Literal["zh", "en"]


class Active(Sent):
    active: bool
    to: str = Field("", max_length=40, description="Who takes over what somebody who leaves has in hand.")


class Token(Shape):
    id: int
    user_id: int
    name: str
    begins: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    ended_at: datetime | None


@router.get("/me", dependencies=[right("account")], summary="Whose token this is, and what it may be used for")
def read_me(db: Reading, user: TokenUser, program: HolderHere) -> Me:
    return _me(user, program)


def _me(user: people.User, program: Holder) -> Me:
    held = [permission for permission in PERMISSIONS if user.may(permission)]
    return Me(**User.model_validate(user).model_dump(), permissions=held, scopes=program.token.scopes)


@router.patch("/me", dependencies=[right("account", writes=True)], summary="One's own language")
def choose_language(desktop: DesktopHere, user: TokenUser, program: HolderHere, sent: Language) -> Me:
    with desktop.database.write() as db:
        people.set_language(db, user, sent.language)
    return _me(user, program).model_copy(update={"language": sent.language})


@router.get("/users", dependencies=[right("users")], summary="Everybody who has an account")
def list_users(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[User]:
    found = db.scalars(select(people.User).order_by(people.User.login)).all()
    return cut(request, User, found, before, limit, lambda one: one.id)


@router.post("/users", dependencies=[right("users", writes=True)], status_code=201, summary="A new account")
def create_user(desktop: DesktopHere, sent: NewUser) -> MadeUser:
    """No Idempotency-Key: its answer would keep the password. The same login twice is refused."""
    password = people.new_password()
    with desktop.database.write() as db:
        made = people.create_user(
            db, sent.login, sent.name, sent.role, password, now(), language=sent.language, extension=sent.extension
        )
        return MadeUser(**User.model_validate(made).model_dump(), password=password)


def _load(db: Session, user_id: int) -> people.User:
    user = db.get(people.User, user_id)
    if user is None:
        raise NotFound("user %(user_id)s", user_id=user_id)
    return user


@router.patch(
    "/users/{user_id}", dependencies=[right("users", writes=True)], summary="What a user is called and may do"
)
def change_user(desktop: DesktopHere, user: TokenUser, user_id: Id, sent: UserChange) -> User:
    """What is left out stays. Nobody changes his own role."""
    with desktop.database.write() as db:
        own = _load(db, user_id)
        role = sent.role.value if sent.role else own.role
        reowning.change_user(
            db, own, name=sent.name or own.name, role=role, extension=sent.extension or None, by=user.login
        )
        db.refresh(own)
        answer = User.model_validate(own)
    desktop.sockets.look()
    return answer


@router.post(
    "/users/{user_id}/active", dependencies=[right("users", writes=True)], summary="Shut an account, or let it in again"
)
def set_active(desktop: DesktopHere, once: OnceHere, user: TokenUser, user_id: Id, sent: Active) -> User:
    """409 while he has tickets or duties in hand and nobody is named who takes them over."""
    nudges: list[Event] = []

    def done(db: Session) -> User:
        own, zone = _load(db, user_id), desktop.settings.centre.zone
        given = reowning.set_active(db, own, sent.active, to=sent.to, by=user.login, now=now(), zone=zone)
        nudges.extend(tickets.nudge(ticket) for ticket in given)
        db.refresh(own)
        return User.model_validate(own)

    answer = once.do(done, nudges)
    desktop.sockets.look()
    return answer


@router.post("/users/{user_id}/password", dependencies=[right("users", writes=True)], summary="A new password")
def set_password(desktop: DesktopHere, user_id: Id) -> MadeUser:
    """His sessions end. No Idempotency-Key: its answer would keep the password."""
    password = people.new_password()
    with desktop.database.write() as db:
        own = _load(db, user_id)
        people.set_password(db, own, password, now())
        answer = MadeUser(**User.model_validate(own).model_dump(), password=password)
    desktop.sockets.look()
    return answer


@router.post(
    "/users/{user_id}/end-sessions", dependencies=[right("users", writes=True)], summary="Log somebody out everywhere"
)
def end_sessions(desktop: DesktopHere, once: OnceHere, user_id: Id) -> User:
    def ended(db: Session) -> User:
        own = _load(db, user_id)
        people.end_all_sessions(db, own, now())
        return User.model_validate(own)

    answer = once.do(ended)
    desktop.sockets.look()
    return answer


@router.get("/me/tokens", dependencies=[right("account")], summary="One's own tokens that are still good")
def list_own_tokens(
    request: Request, db: Reading, user: TokenUser, before: Before = "", limit: Limit = 50
) -> Listed[Token]:
    return _tokens(request, db, before, limit, user.id)


@router.get("/tokens", dependencies=[right("users")], summary="Everybody's tokens that are still good")
def list_tokens(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Token]:
    return _tokens(request, db, before, limit, None)


def _tokens(request: Request, db: Session, before: str, limit: int, user_id: int | None) -> Listed[Token]:
    rows = select(ApiToken).where(ApiToken.ended_at.is_(None))
    if user_id is not None:
        rows = rows.where(ApiToken.user_id == user_id)
    below = number(before)
    if below is not None:
        rows = rows.where(ApiToken.id < below)
    found = db.scalars(rows.order_by(ApiToken.id.desc()).limit(limit + 1)).all()
    return page(request, Token, found, limit, lambda one: one.id)


@router.post(
    "/me/tokens/{token_id}/end", dependencies=[right("account", writes=True)], summary="End a token of one's own"
)
def end_own_token(once: OnceHere, user: TokenUser, token_id: Id) -> Token:
    return once.do(lambda db: _ended(db, token_id, user))


@router.post("/tokens/{token_id}/end", dependencies=[right("users", writes=True)], summary="End anybody's token")
def end_token(once: OnceHere, token_id: Id) -> Token:
    return once.do(lambda db: _ended(db, token_id, None))


def _ended(db: Session, token_id: int, user: people.User | None) -> Token:
    tokens.end(db, token_id, now(), user)
    return Token.model_validate(db.get_one(ApiToken, token_id))
