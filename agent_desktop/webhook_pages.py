"""Webhooks as pages: who is told of what, what came of each delivery, and telling it once more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import webhooks
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.happenings import AREAS, STEPS, TYPES
from agent_desktop.page import Page, PageHere
from agent_desktop.rows import Delivery, Webhook
from agent_desktop.session import allow
from callcenter import ledger
from callcenter.database import now
from callcenter.errors import BadInput
from config.people import User

router = APIRouter()

AT_ONCE = 50
STATES = ("waiting", "sent", "failed", "dropped")


def hook_here(db: Reading, webhook_id: Id) -> Webhook:
    return webhooks.load(db, webhook_id)


HookHere = Annotated[Webhook, Depends(hook_here)]


@router.get("/admin/webhooks", dependencies=[allow("webhooks")])
def list_webhooks(page: PageHere, db: Reading) -> HTMLResponse:
    return _list(page, db)


def _list(page: Page, db: Session, made: Webhook | None = None) -> HTMLResponse:
    people = {user.id: user for user in db.scalars(select(User))}
    return page.render(
        "webhooks.html", hooks=webhooks.listed(db), people=people, areas=AREAS, made=made, allowed=_allowed(page)
    )


def _allowed(page: Page) -> str:
    return ", ".join(page.settings.webhooks.allow)


@router.post("/admin/webhooks", dependencies=[allow("webhooks.write")])
def create_webhook(
    page: PageHere,
    reading: Reading,
    name: Annotated[str, Form(max_length=80)] = "",
    url: Annotated[str, Form(max_length=500)] = "",
    types: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - FastAPI copies it
    user_id: Annotated[int, Form(ge=1, le=LARGEST_ID)] = 0,
) -> HTMLResponse:
    """A new subscription; its secret is shown this once."""
    user = reading.get(User, user_id) if user_id else page.user
    if user is None:
        raise BadInput("user")
    with page.database.write() as db:
        made = webhooks.create(db, user, name, url, types, now(), allow=page.settings.webhooks.allow)
    with page.database.read() as db:
        return _list(page, db, made)


@router.get("/admin/webhooks/{webhook_id}", dependencies=[allow("webhooks")])
def show_webhook(
    page: PageHere,
    db: Reading,
    hook: HookHere,
    state: Annotated[str, Query(max_length=10)] = "",
    before: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    replayed: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    rows = select(Delivery).where(Delivery.webhook_id == hook.id).order_by(Delivery.id.desc())
    if state in STATES:
        rows = rows.where(Delivery.state == state)
    if before:
        rows = rows.where(Delivery.id < before)
    found = db.scalars(rows.limit(AT_ONCE + 1)).all()
    return page.render(
        "webhook.html",
        hook=hook,
        owner=db.get_one(User, hook.user_id),
        rows=found[:AT_ONCE],
        next=found[AT_ONCE - 1].id if len(found) > AT_ONCE else "",
        states=STATES,
        state=state,
        areas=AREAS,
        types=sorted({*TYPES, *STEPS, *hook.types} - {"ticket.", *AREAS}),
        newest=ledger.newest(db),
        replayed=replayed,
    )


@router.post("/admin/webhooks/{webhook_id}", dependencies=[allow("webhooks.write")])
def change_webhook(
    page: PageHere,
    webhook_id: Id,
    name: Annotated[str, Form(max_length=80)] = "",
    url: Annotated[str, Form(max_length=500)] = "",
    types: Annotated[list[str], Form(max_length=40)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    allowed = page.settings.webhooks.allow
    with page.database.write() as db:
        webhooks.change(db, webhooks.load(db, webhook_id), name=name, url=url, types=types, allow=allowed)
    return _back(webhook_id)


@router.post("/admin/webhooks/{webhook_id}/try", dependencies=[allow("webhooks.write")])
def try_webhook(page: PageHere, webhook_id: Id) -> Response:
    with page.database.write() as db:
        webhooks.try_out(db, webhooks.load(db, webhook_id), now())
    return _back(webhook_id)


@router.post("/admin/webhooks/{webhook_id}/start", dependencies=[allow("webhooks.write")])
def start_webhook(page: PageHere, webhook_id: Id) -> Response:
    with page.database.write() as db:
        webhooks.start(db, webhooks.load(db, webhook_id))
    return _back(webhook_id)


@router.post("/admin/webhooks/{webhook_id}/end", dependencies=[allow("webhooks.write")])
def end_webhook(page: PageHere, webhook_id: Id) -> Response:
    with page.database.write() as db:
        webhooks.end(db, webhooks.load(db, webhook_id), now())
    return RedirectResponse("/admin/webhooks", status_code=303)


@router.post("/admin/webhooks/{webhook_id}/replay", dependencies=[allow("webhooks.write")])
def replay_events(
    page: PageHere,
    webhook_id: Id,
    first: Annotated[int, Form(ge=1, le=2**53)],
    last: Annotated[int, Form(ge=0, le=2**53)] = 0,
) -> Response:
    """One event, or all from one to another; never more than the first 10,000."""
    with page.database.write() as db:
        count = webhooks.replay(db, webhooks.load(db, webhook_id), first, last or first, now())
    return _back(webhook_id, f"?replayed={count}")


def _back(webhook_id: int, query: str = "") -> Response:
    return RedirectResponse(f"/admin/webhooks/{webhook_id}{query}", status_code=303)
