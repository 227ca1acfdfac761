"""Calls, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from agent_desktop import calls
from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.paging import Before, Limit, Listed, page
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Reading
from callcenter import phone
from callcenter.errors import BadInput
from cti.rows import Call
from ticketing import customers

router = APIRouter(prefix="/v1", tags=["calls"])


@router.get("/calls", dependencies=[right("calls")], summary="List calls, newest first")
def list_calls(
    request: Request,
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    state: Annotated[str, Query(max_length=10)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    queue: Annotated[str, Query(max_length=40)] = "",
    agent: Annotated[str, Query(max_length=10)] = "",
    number: Annotated[str, Query(max_length=40)] = "",
    customer_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    started_from: datetime | None = None,
    started_to: datetime | None = None,
    before: Before = "",
    limit: Limit = 50,
) -> Listed[shapes.Call]:
    rows = select(Call).where(calls.visible(user))
    for column, value in (
        (Call.state, state),
        (Call.outcome, outcome),
        (Call.queue, queue),
        (Call.agent, agent),
    ):
        if value:
            rows = rows.where(column == value)
    if customer_id is not None:
        kept = customers.standing(db, customer_id)
        rows = rows.where(Call.customer_id.in_(customers.ids_of(db, kept) if kept else [customer_id]))
    if number:
        centre = desktop.settings.centre
        rows = rows.where(Call.caller_number == phone.normalise(number, centre.country, centre.area_code))
    if started_from is not None:
        rows = rows.where(Call.started_at >= aware(started_from))
    if started_to is not None:
        rows = rows.where(Call.started_at < aware(started_to))
    if before:
        rows = rows.where(calls.before(before))
    found = db.scalars(rows.order_by(Call.started_at.desc(), Call.call_id.desc()).limit(limit + 1)).all()
    return page(request, shapes.Call, found, limit, calls.cursor)


@router.get("/calls/{call_id}", dependencies=[right("calls")], summary="One call")
def read_call(db: Reading, user: TokenUser, call_id: str) -> shapes.Call:
    return shapes.Call.model_validate(calls.load_call(db, call_id, user))


def aware(at: datetime | None) -> datetime | None:
    """A time that says its zone; one that does not could be hours off."""
    if at is not None and at.tzinfo is None:
        raise BadInput("a time needs its zone, such as 2026-11-22T08:00:00Z")
    return at
