"""Tokens for other programs: everyone's own, and all of them for an administrator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop.desktop import Id, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput, NotFound
from config import tokens
from config.people import PERMISSIONS, User
from config.tokens import AREAS, ApiToken

DAYS = (30, 90, 365)
"""How long a token can be made for; 0 is until it is ended."""

router = APIRouter()


def reachable(user: User) -> dict[str, list[str]]:
    """By area, the verbs this user's role leaves a token any use for."""
    mine = [permission for permission in PERMISSIONS if user.may(permission)]
    useful = {tokens.scope_of(one, writes=writes) for one in mine for writes in {False, one in tokens.BOTH}}
    return {
        area: [verb for verb in verbs if f"{area}:{verb}" in useful]
        for area, verbs in AREAS.items()
        if any(f"{area}:{verb}" in useful for verb in verbs)
    }


def _list(page: Page, db: Session, *, whole: bool, token: str = "", made: str = "") -> HTMLResponse:
    rows = select(ApiToken, User).join(User, User.id == ApiToken.user_id).order_by(ApiToken.id.desc())
    rows = rows.where(ApiToken.ended_at.is_(None))
    people = [page.user]
    if whole:
        people = list(db.scalars(select(User).where(User.active).order_by(User.login)))
    else:
        rows = rows.where(ApiToken.user_id == page.user.id)
    return page.render(
        "tokens.html",
        whole=whole,
        path="/admin/tokens" if whole else "/account/tokens",
        rows=db.execute(rows).all(),
        people=people,
        areas={area: list(verbs) for area, verbs in AREAS.items()} if whole else reachable(page.user),
        days=DAYS,
        token=token,
        made=made,
    )


def _made(page: Page, user: User, name: str, scopes: list[str], days: int, *, whole: bool) -> HTMLResponse:
    at = now()
    if days not in (0, *DAYS):
        raise BadInput(f"{days}")
    expires_at: datetime | None = at + timedelta(days=days) if days else None
    with page.database.write() as db:
        token = tokens.create(db, user, name, at, scopes=scopes, expires_at=expires_at)
    with page.database.read() as db:
        return _list(page, db, whole=whole, token=token, made=name)


@router.get("/account/tokens", dependencies=[allow("account")])
def own_tokens(page: PageHere, db: Reading) -> HTMLResponse:
    return _list(page, db, whole=False)


@router.post("/account/tokens", dependencies=[allow("account")])
def create_own(
    page: PageHere,
    name: Annotated[str, Form(max_length=80)] = "",
    scopes: Annotated[list[str], Form(max_length=60)] = [],  # noqa: B006 - FastAPI copies it
    days: Annotated[int, Form()] = 0,
) -> HTMLResponse:
    """A token with at most one's own rights; shown this once."""
    return _made(page, page.user, name, scopes, days, whole=False)


@router.post("/account/tokens/{token_id}/end", dependencies=[allow("account")])
def end_own(page: PageHere, token_id: Id) -> Response:
    with page.database.write() as db:
        tokens.end(db, token_id, now(), page.user)
    return RedirectResponse("/account/tokens", status_code=303)


@router.get("/admin/tokens", dependencies=[allow("users")])
def all_tokens(page: PageHere, db: Reading) -> HTMLResponse:
    return _list(page, db, whole=True)


@router.post("/admin/tokens", dependencies=[allow("users")])
def create_token(
    page: PageHere,
    reading: Reading,
    user_id: Annotated[int, Form(ge=1)],
    name: Annotated[str, Form(max_length=80)] = "",
    scopes: Annotated[list[str], Form(max_length=60)] = [],  # noqa: B006 - FastAPI copies it
    days: Annotated[int, Form()] = 0,
) -> HTMLResponse:
    """A token for another program, with this user's rights at most; shown this once."""
    user = reading.get(User, user_id)
    if user is None:
        raise NotFound("user %(user_id)s", user_id=user_id)
    return _made(page, user, name, scopes, days, whole=True)


@router.post("/admin/tokens/{token_id}/end", dependencies=[allow("users")])
def end_token(page: PageHere, token_id: Id) -> Response:
    with page.database.write() as db:
        tokens.end(db, token_id, now())
    return RedirectResponse("/admin/tokens", status_code=303)
