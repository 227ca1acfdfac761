"""Calls, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from agent_desktop import calls
from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, page
from agent_desktop.api.shapes import Reference, Sent
from agent_desktop.call_page import lines_of, sound_of
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Reading
from agent_desktop.replay import Telling, as_data
from callcenter import phone
from callcenter.database import now
from callcenter.errors import BadInput
from callcenter.events import Event
from cti.rows import Call
from reports import material, replay
from ticketing import customers

router = APIRouter(prefix="/v1", tags=["calls"])


class Replayed(BaseModel):
    call_id: str
    direction: str
    caller_number: str
    state: str
    outcome: str
    started_us: int = Field(description="Microseconds since 1970 UTC.")
    length_ms: int
    recording: dict[str, int | None] | None = Field(description="Where its sound begins, and how long it is.")
    cut: bool
    steps: list[dict[str, Any]]
    lanes: list[dict[str, Any]]
    lines: list[dict[str, Any]] = Field(description="How the sound of each leg was, where it was measured.")


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


class Bound(Sent):
    customer_id: Reference


@router.post(
    "/calls/{call_id}/customer",
    dependencies=[right("desk"), right("customers.write")],
    summary="The caller is this customer",
)
def bind_customer(once: OnceHere, user: TokenUser, call_id: str, sent: Bound) -> shapes.Call:
    """A number new to his record is kept there as a maybe, to be asked about."""
    nudges: list[Event] = []

    def bound(db: Session) -> shapes.Call:
        call = calls.load_call(db, call_id, user)
        nudges.extend(calls.bind_caller(db, call, customers.load_customer(db, sent.customer_id, user), user, now()))
        db.refresh(call)
        return shapes.Call.model_validate(call)

    return once.do(bound, nudges)


@router.get("/calls/{call_id}/replay", dependencies=[right("calls")], summary="All that happened in it, step by step")
def replay_call(desktop: DesktopHere, db: Reading, user: TokenUser, call_id: str) -> Replayed:
    """What was told by whom, when, and how the sound of each leg was."""
    call, at = calls.load_call(db, call_id, user), now()
    replayed = replay.compose(material.load(db, call, at), at)
    telling = Telling.of(db, user.language, desktop.settings.centre.country, replayed)
    return Replayed.model_validate(as_data(replayed, telling) | {"lines": lines_of(db, call_id)})


@router.get(
    "/calls/{call_id}/recording",
    dependencies=[right("recordings")],
    summary="The sound: left the caller, right the agent",
    response_class=FileResponse,
    responses={
        200: {"content": {"audio/wav": {}}, "description": "The sound"},
        206: {"content": {"audio/wav": {}}, "description": "The part of it asked for by Range"},
        416: {"description": "No such part"},
    },
)
def fetch_recording(request: Request, desktop: DesktopHere, db: Reading, user: TokenUser, call_id: str) -> FileResponse:
    return sound_of(request, desktop.settings, db, call_id, user, download=True)


def aware(at: datetime | None) -> datetime | None:
    """A time that says its zone; one that does not could be hours off."""
    if at is not None and at.tzinfo is None:
        raise BadInput("a time needs its zone, such as 2026-11-22T08:00:00Z")
    return at
