"""Signing in and out, and one's own password and language."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from agent_desktop.i18n import LANGUAGES
from agent_desktop.page import LANGUAGE_COOKIE, OpenPage, Page, PageHere
from agent_desktop.session import Forged, allow, find, matches, of_our_origin, session_cookie
from callcenter.database import now
from callcenter.errors import BadInput, CallCenterError
from config import people
from config.people import Role, User
from config.settings import Settings

LOGIN_CSRF = "login_csrf"

router = APIRouter()
"""For those who have signed in."""
open_router = APIRouter()
"""For everyone; these look after forgery themselves."""


def home(user: User) -> str:
    """Where a role begins its day."""
    if user.may("board"):
        return "/board"
    if user.may("desk"):
        return "/desk"
    return "/tickets" if user.role == Role.CAMPAIGN else "/calls"


@router.get("/", dependencies=[allow("account")])
def start(page: PageHere) -> RedirectResponse:
    return RedirectResponse(home(page.user), status_code=303)


@open_router.get("/login")
def show_login(request: Request, page: OpenPage, next: str = "") -> Response:
    signed = find(page.desktop, request)
    if signed is not None:
        return RedirectResponse(home(signed.user), status_code=303)
    return _form(page, next=next)


def _form(page: Page, *, login: str = "", next: str = "", fault: CallCenterError | None = None) -> HTMLResponse:
    csrf = secrets.token_urlsafe(24)
    status = fault.status if fault else 200
    wait_s = getattr(fault, "wait_s", 0)
    answer = page.render(
        "login.html", status=status, login=login, next=next, fault=fault, wait_s=wait_s, login_csrf=csrf
    )
    _set(answer, page.settings, LOGIN_CSRF, csrf)
    return answer


@open_router.post("/login")
def log_in(
    request: Request,
    page: OpenPage,
    login: Annotated[str, Form(max_length=80)],
    password: Annotated[str, Form(max_length=500)],
    csrf: Annotated[str, Form(max_length=100)] = "",
    next: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    kept = request.cookies.get(LOGIN_CSRF, "")
    if not of_our_origin(request) or not kept or not matches(csrf, kept):
        return _form(page, login=login, next=next, fault=Forged())
    address = request.client.host if request.client else ""
    try:
        user = people.authenticate(page.database, login, password, address, now())
    except (people.WrongLogin, people.TooManyAttempts) as fault:
        return _form(page, login=login, next=next, fault=fault)
    with page.database.write() as db:
        people.end_session(db, request.cookies.get(session_cookie(page.settings), ""), now())
        token, _row = people.start_session(db, user, now())
    answer = RedirectResponse(_within(next) or home(user), status_code=303)
    _set(answer, page.settings, session_cookie(page.settings), token)
    _set(answer, page.settings, LANGUAGE_COOKIE, user.language)  # so that the next sign-in speaks it, too
    answer.delete_cookie(LOGIN_CSRF)
    return answer


@router.post("/logout", dependencies=[allow("account")])
def log_out(request: Request, page: PageHere) -> Response:
    with page.database.write() as db:
        people.end_session(db, request.cookies[session_cookie(page.settings)], now())
    page.desktop.sockets.look()
    answer = RedirectResponse("/login", status_code=303)
    answer.delete_cookie(session_cookie(page.settings), secure=page.settings.desktop.secure_cookie)
    return answer


@router.get("/account/password", dependencies=[allow("account")])
def show_password(page: PageHere) -> HTMLResponse:
    return page.render("password.html", fault=None, chosen=False)


@router.post("/account/password", dependencies=[allow("account")])
def choose_password(
    request: Request,
    page: PageHere,
    present: Annotated[str, Form(max_length=500)],
    password: Annotated[str, Form(max_length=500)],
    again: Annotated[str, Form(max_length=500)],
) -> HTMLResponse:
    """One's own, by whoever knows the present one; a call in another window of this browser goes on."""
    assert page.signed is not None
    try:
        if password != again:
            raise people.NotTheSame
        address = request.client.host if request.client else ""
        people.authenticate(page.database, page.user.login, present, address, now())
        with page.database.write() as db:
            people.set_password(db, page.user, password, now(), keep=page.signed.row)
    except (people.NotTheSame, people.WrongLogin, people.WeakPassword, people.TooManyAttempts) as fault:
        return page.render("password.html", status=fault.status, fault=fault, chosen=False)
    page.desktop.sockets.look()
    return page.render("password.html", fault=None, chosen=True)


@router.post("/language", dependencies=[allow("account")])
def choose_language(request: Request, page: PageHere, language: Annotated[str, Form()]) -> Response:
    if language not in LANGUAGES:
        raise BadInput(language)
    with page.database.write() as db:
        people.set_language(db, page.user, language)
    back = request.headers.get("referer", "")
    path = "/" + back.split("/", 3)[3] if back.count("/") > 2 and of_our_origin(request) else "/"
    answer = RedirectResponse(_within(path) or "/", status_code=303)
    _set(answer, page.settings, LANGUAGE_COOKIE, language)
    return answer


def _within(address: str) -> str:
    """A path of ours to go on to, or nothing: never another site."""
    path = "/" + address.lstrip("/")
    return path if address and "\\" not in path and path.isprintable() else ""


def _set(answer: Response, settings: Settings, name: str, value: str) -> None:
    answer.set_cookie(name, value, httponly=True, samesite="lax", secure=settings.desktop.secure_cookie, path="/")
