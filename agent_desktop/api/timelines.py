"""Everything that happened with a customer or an engine, over the API; and words put to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop import timeline
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.calls import aware
from agent_desktop.api.once import OnceHere
from agent_desktop.api.shapes import Shape, Words
from agent_desktop.desktop import DesktopHere, Id, Reading
from agent_desktop.timeline import Moment, Timeline
from callcenter.database import now
from ticketing import customers, engines, entries

router = APIRouter(prefix="/v1")

Show = Annotated[Literal["all", "calls", "tickets", "notes", "record"], Query(description="Only these.")]
Until = Annotated[datetime | None, Query(description="Older than this; `before` of the answer goes on.")]


class Happened(BaseModel):
    at: datetime
    what: str = Field(description="call, opened, or what was done: noted, changed, reading, owner …")
    by: str
    text: str
    changes: dict[str, Any]
    call_id: str | None
    ticket_id: int | None
    recorded: bool = Field(description="There is a recording of this call.")


class Story(BaseModel):
    items: list[Happened]
    before: datetime | None = Field(description="Ask again with it; null at the end.")


class Entry(Shape):
    id: int
    at: datetime
    by: str
    what: str
    text: str
    changes: dict[str, Any]


def _told(found: Timeline) -> Story:
    return Story(items=[_line(moment, found.recorded) for moment in found.moments], before=found.more)


def _line(moment: Moment, recorded: frozenset[str]) -> Happened:
    call, ticket, step, entry = moment.call, moment.ticket, moment.step, moment.entry
    done, promise = step or entry, moment.promise
    if promise is not None:
        return Happened(
            at=moment.at,
            what="promised",
            by=promise.created_by,
            text=promise.text,
            changes={"duty": [None, promise.stands(now()).value]},
            call_id=promise.call_id,
            ticket_id=None,
            recorded=False,
        )
    by = done.by if done else ticket.opened_by if ticket else (call.agent or "") if call else ""
    return Happened(
        at=moment.at,
        what=done.what if done else "opened" if ticket else "call",
        by=by,
        text=done.text if done else ticket.subject if ticket else (call.outcome or "") if call else "",
        changes=done.changes if done else {},
        call_id=call.call_id if call else ticket.call_id if ticket else None,
        ticket_id=ticket.id if ticket else None,
        recorded=call is not None and call.call_id in recorded,
    )


@router.get(
    "/customers/{customer_id}/timeline",
    dependencies=[right("customers")],
    tags=["customers"],
    summary="All that happened with a customer, newest first",
)
def of_customer(db: Reading, user: TokenUser, customer_id: Id, show: Show = "all", before: Until = None) -> Story:
    ids = customers.ids_of(db, customers.load_customer(db, customer_id, user))
    return _told(timeline.of_customer(db, user, ids, language=user.language, show=show, before=aware(before)))


@router.get(
    "/engines/{engine_id}/timeline",
    dependencies=[right("engines")],
    tags=["engines"],
    summary="All that happened with an engine, whoever had it",
)
def of_engine(db: Reading, user: TokenUser, engine_id: Id, show: Show = "all", before: Until = None) -> Story:
    engine = engines.load_engine(db, engine_id, user)
    return _told(timeline.of_engine(db, user, engine, language=user.language, show=show, before=aware(before)))


@router.post(
    "/customers/{customer_id}/notes",
    dependencies=[right("customers.write")],
    tags=["customers"],
    status_code=201,
    summary="Dated words about a customer",
)
def note_customer(desktop: DesktopHere, once: OnceHere, user: TokenUser, customer_id: Id, sent: Words) -> Entry:
    """A number in them is kept as one that may be his."""

    def noted(db: Session) -> Entry:
        customer, at = customers.load_customer(db, customer_id, user), now()
        entry = entries.note(db, customer, sent.text, by=user.login, now=at)
        customers.numbers_in(db, customer, sent.text, at, desktop.settings.centre.country)
        return Entry.model_validate(entry)

    return once.do(noted)


@router.post(
    "/engines/{engine_id}/notes",
    dependencies=[right("engines.write")],
    tags=["engines"],
    status_code=201,
    summary="Dated words about an engine",
)
def note_engine(once: OnceHere, user: TokenUser, engine_id: Id, sent: Words) -> Entry:
    def noted(db: Session) -> Entry:
        engine = engines.load_engine(db, engine_id, user)
        return Entry.model_validate(entries.note(db, engine, sent.text, by=user.login, now=now()))

    return once.do(noted)
