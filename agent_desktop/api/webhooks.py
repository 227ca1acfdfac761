"""Webhooks, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import webhooks
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, number, page
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import DesktopHere, Id, Reading
from agent_desktop.rows import Delivery, Webhook
from callcenter.database import now

router = APIRouter(prefix="/v1", tags=["webhooks"])


class Hook(Shape):
    id: int
    name: str
    url: str
    types: list[str] = Field(description="Types or areas of events; none is all.")
    failures: int
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str


class MadeHook(Hook):
    secret: str = Field(description="To check signatures with; told this once.")


class NewHook(Sent):
    name: str = Field(max_length=80)
    url: str = Field(max_length=500)
    types: list[str] = Field(default=[], max_length=40)


class ChangedHook(Sent):
    name: str | None = Field(None, max_length=80)
    url: str | None = Field(None, max_length=500)
    types: list[str] | None = Field(None, max_length=40)


class Delivered(Shape):
    id: int
    seq: int
    type: str
    replayed: bool
    state: str
    attempts: int
    status: int | None
    error: str
    took_ms: int | None
    planned_at: datetime
    tried_at: datetime | None


class Range(Sent):
    first: int = Field(ge=1, le=2**53 - 1)
    last: int = Field(ge=1, le=2**53 - 1)


class Planned(BaseModel):
    planned: int


class Ended(BaseModel):
    ended: bool = True


@router.get("/webhooks", dependencies=[right("webhooks")], summary="Who is told of what")
def list_webhooks(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Hook]:
    above = number(before) or 0
    found = [hook for hook in webhooks.listed(db) if hook.id > above]
    return page(request, Hook, found, limit, lambda hook: hook.id)


@router.post("/webhooks", dependencies=[right("webhooks.write")], status_code=201, summary="Be told what happens")
def create_webhook(desktop: DesktopHere, once: OnceHere, user: TokenUser, sent: NewHook) -> MadeHook:
    allowed = desktop.settings.webhooks.allow

    def created(db: Session) -> MadeHook:
        hook = webhooks.create(db, user, sent.name, sent.url, sent.types, now(), allow=allowed)
        return MadeHook.model_validate(hook)

    return once.do(created)


@router.get("/webhooks/{webhook_id}", dependencies=[right("webhooks")], summary="One webhook")
def read_webhook(db: Reading, webhook_id: Id) -> Hook:
    return Hook.model_validate(webhooks.load(db, webhook_id))


@router.patch("/webhooks/{webhook_id}", dependencies=[right("webhooks.write")], summary="Change a webhook")
def change_webhook(desktop: DesktopHere, webhook_id: Id, sent: ChangedHook) -> Hook:
    allowed = desktop.settings.webhooks.allow
    with desktop.database.write() as db:
        hook = webhooks.load(db, webhook_id)
        return Hook.model_validate(webhooks.change(db, hook, **sent.model_dump(exclude_none=True), allow=allowed))


@router.delete("/webhooks/{webhook_id}", dependencies=[right("webhooks.write")], summary="End a webhook")
def end_webhook(desktop: DesktopHere, webhook_id: Id) -> Ended:
    with desktop.database.write() as db:
        webhooks.end(db, webhooks.load(db, webhook_id), now())
    return Ended()


@router.post(
    "/webhooks/{webhook_id}/start", dependencies=[right("webhooks.write")], summary="Start a stopped webhook again"
)
def start_webhook(once: OnceHere, webhook_id: Id) -> Hook:
    def started(db: Session) -> Hook:
        hook: Webhook = webhooks.load(db, webhook_id)
        webhooks.start(db, hook)
        return Hook.model_validate(hook)

    return once.do(started)


@router.post("/webhooks/{webhook_id}/try", dependencies=[right("webhooks.write")], summary="Deliver a trial")
def try_webhook(once: OnceHere, webhook_id: Id) -> Delivered:
    """With nothing in it, to see whether the other side understands us."""
    return once.do(lambda db: Delivered.model_validate(webhooks.try_out(db, webhooks.load(db, webhook_id), now())))


@router.get("/webhooks/{webhook_id}/deliveries", dependencies=[right("webhooks")], summary="What came of each delivery")
def list_deliveries(
    request: Request,
    db: Reading,
    webhook_id: Id,
    state: Annotated[str, Query(max_length=10)] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Delivered]:
    hook = webhooks.load(db, webhook_id)
    rows = select(Delivery).where(Delivery.webhook_id == hook.id)
    if state:
        rows = rows.where(Delivery.state == state)
    below = number(before)
    if below is not None:
        rows = rows.where(Delivery.id < below)
    found = db.scalars(rows.order_by(Delivery.id.desc()).limit(limit + 1)).all()
    return page(request, Delivered, found, limit, lambda one: one.id)


@router.post(
    "/webhooks/{webhook_id}/replay", dependencies=[right("webhooks.write")], summary="Deliver a range of events again"
)
def replay_events(once: OnceHere, webhook_id: Id, sent: Range) -> Planned:
    def replayed(db: Session) -> Planned:
        hook = webhooks.load(db, webhook_id)
        return Planned(planned=webhooks.replay(db, hook, sent.first, sent.last, now()))

    return once.do(replayed)
