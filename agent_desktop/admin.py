"""Who may log in: accounts made, shut, and thrown out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_desktop.desktop import Id, Reading
from agent_desktop.i18n import LANGUAGES
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput, NotFound
from config import people
from config.people import LoginSession, Role, User
from ticketing import reowning, tickets
from ticketing.reowning import WorkInHand

router = APIRouter()


@router.get("/admin/users", dependencies=[allow("users")])
def list_users(page: PageHere, db: Reading) -> HTMLResponse:
    return _list(page, db)


def _list(page: Page, db: Session, made: User | None = None, password: str = "") -> HTMLResponse:
    still = select(LoginSession.user_id, func.count(), func.max(LoginSession.seen_at))
    sessions = db.execute(still.where(LoginSession.ended_at.is_(None)).group_by(LoginSession.user_id))
    return page.render(
        "users.html",
        users=list(db.scalars(select(User).order_by(User.active.desc(), User.login))),
        sessions={user_id: (count, seen) for user_id, count, seen in sessions},
        roles=Role,
        made=made,
        password=password,
    )


@router.post("/admin/users", dependencies=[allow("users")])
def create_user(
    page: PageHere,
    login: Annotated[str, Form(max_length=80)],
    name: Annotated[str, Form(max_length=200)],
    role: Annotated[str, Form(max_length=20)],
    language: Annotated[str, Form(max_length=5)] = "zh",
    extension: Annotated[str, Form(max_length=20)] = "",
) -> HTMLResponse:
    """A new account with a password made here, shown this once."""
    if role not in set(Role) or language not in LANGUAGES:
        raise BadInput(f"{role} {language}")
    password = people.new_password()
    with page.database.write() as db:
        made = people.create_user(
            db, login, name, role, password, now(), language=language, extension=extension.strip() or None
        )
    with page.database.read() as db:
        return _list(page, db, made, password)


def changeable_user(db: Reading, user_id: Id) -> User:
    user = db.get(User, user_id)
    if user is None:
        raise NotFound("user %(user_id)s", user_id=user_id)
    return user


UserHere = Annotated[User, Depends(changeable_user)]


@router.post("/admin/users/{user_id}", dependencies=[allow("users")])
def change_user(
    page: PageHere,
    user: UserHere,
    name: Annotated[str, Form(max_length=200)],
    role: Annotated[str, Form(max_length=20)],
    extension: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """What he is called and may do from now on, also where he is logged in."""
    if role not in set(Role):
        raise BadInput(role)
    with page.database.write() as db:
        reowning.change_user(db, user, name=name, role=role, extension=extension.strip() or None, by=page.user.login)
    page.desktop.sockets.look()
    return RedirectResponse("/admin/users", status_code=303)


@router.post("/admin/users/{user_id}/active", dependencies=[allow("users")])
def set_active(
    page: PageHere,
    user: UserHere,
    active: Annotated[bool, Form()],
    to: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    zone = page.settings.centre.zone
    try:
        with page.database.write() as db:
            told = reowning.set_active(db, user, active, to=to, by=page.user.login, now=now(), zone=zone)
    except WorkInHand as fault:
        with page.database.read() as db:
            work = reowning.work_of(db, user.login)
            heirs = db.scalars(select(User).where(User.active, User.id != user.id).order_by(User.login)).all()
            return page.render("reowning.html", user=user, work=work, heirs=heirs, status=fault.status)
    page.desktop.sockets.look()
    for ticket in told:
        page.bus.publish(tickets.nudge(ticket))
    return RedirectResponse("/admin/users", status_code=303)


@router.post("/admin/users/{user_id}/password", dependencies=[allow("users")])
def set_password(page: PageHere, user: UserHere) -> HTMLResponse:
    """A new password, shown this once; the user's sessions end."""
    password = people.new_password()
    with page.database.write() as db:
        people.set_password(db, user, password, now())
    page.desktop.sockets.look()
    with page.database.read() as db:
        return _list(page, db, user, password)


@router.post("/admin/users/{user_id}/end-sessions", dependencies=[allow("users")])
def end_sessions(page: PageHere, user: UserHere) -> Response:
    with page.database.write() as db:
        people.end_all_sessions(db, user, now())
    page.desktop.sockets.look()
    return RedirectResponse("/admin/users", status_code=303)
