"""The list of calls: found by time, number, queue, agent and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import ColumnElement, Select, and_, false, or_, select, true
from sqlalchemy.orm import Session

from agent_desktop.desktop import Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter import phone
from callcenter.database import from_us, to_us
from callcenter.errors import BadInput, NotFound
from callcenter.events import Event
from callcenter.facts import CustomerBound
from config import queues
from config.people import User
from cti import projection
from cti.handovers import Handover
from cti.rows import Agent, Call, Offer
from recordings.rows import Recording
from ticketing import customers
from ticketing.rows import Customer, Phone

AT_ONCE = 50

router = APIRouter()


def visible(user: User) -> ColumnElement[bool]:
    """Which calls a user may see, as a condition: all, or those that rang him or were handed to or by him."""
    if user.may("calls.all"):
        return true()
    if user.extension is None:
        return false()
    rung = select(Offer.call_id).where(Offer.agent == user.extension)
    handed = select(Handover.call_id).where(
        or_(Handover.sender == user.extension, and_(Handover.to_kind == "agent", Handover.to == user.extension))
    )
    his_now = select(Agent.call_id).where(Agent.extension == user.extension, Agent.call_id.is_not(None))
    return or_(Call.agent == user.extension, *(Call.call_id.in_(ids) for ids in (rung, handed, his_now)))


def load_call(db: Session, call_id: str, user: User) -> Call:
    """NotFound where the user may not see it."""
    call = db.scalar(select(Call).where(Call.call_id == call_id, visible(user)))
    if call is None:
        raise NotFound("call %(call_id)s", call_id=call_id[:150])
    return call


def bind_caller(db: Session, call: Call, customer: Customer, user: User, at: datetime) -> Sequence[Event]:
    """The caller is this customer. A number new to his record is kept there as a maybe, to be asked about."""
    on_file = select(Phone.id).where(Phone.customer_id == customer.id, Phone.number == call.caller_number)
    if phone.is_number(call.caller_number) and db.scalar(on_file) is None:
        customers.add_phone(db, customer, call.caller_number, at, level="maybe")
    bound = CustomerBound(at=at, switch=call.switch, call_id=call.call_id, customer_id=customer.id, by=user.login)
    return projection.record(db, [bound], "desk")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the list is asked for; empty is everything."""

    q: str = ""  # number or name of the caller
    queue: str = ""
    agent: str = ""
    outcome: str = ""  # an outcome, or "live"
    first: date | None = None  # days where the centre is, both included
    last: date | None = None
    before: str = ""  # paging: where the page before ended

    def as_query(self) -> dict[str, object]:
        return {
            "q": self.q,
            "queue": self.queue,
            "agent": self.agent,
            "outcome": self.outcome,
            "first": self.first or "",
            "last": self.last or "",
        }


def wanted(
    q: Annotated[str, Query(max_length=100)] = "",
    queue: Annotated[str, Query(max_length=40)] = "",
    agent: Annotated[str, Query(max_length=10)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    first: Annotated[str, Query(max_length=10)] = "",
    last: Annotated[str, Query(max_length=10)] = "",
    before: Annotated[str, Query(max_length=180)] = "",
) -> Wanted:
    return Wanted(
        q=q.strip(), queue=queue, agent=agent, outcome=outcome, first=day(first), last=day(last), before=before
    )


def day(text: str) -> date | None:
    """A day as a browser's field writes it; empty is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(text) from None


@router.get("/calls", dependencies=[allow("calls")])
def list_calls(page: PageHere, db: Reading, asked: Annotated[Wanted, Depends(wanted)]) -> HTMLResponse:
    found = newest(db, page, asked, AT_ONCE + 1)
    rows, more = found[:AT_ONCE], len(found) > AT_ONCE
    return page.render(
        "calls.html",
        asked=asked,
        rows=rows,
        next=cursor(rows[-1]) if more else "",
        queues=queues.titles(db, page.language),
        **around(db, rows),
    )


def newest(db: Session, page: Page, asked: Wanted, limit: int) -> list[Call]:
    rows = matching(asked, page).where(visible(page.user))
    return list(db.scalars(rows.order_by(Call.started_at.desc(), Call.call_id.desc()).limit(limit)))


def matching(asked: Wanted, page: Page) -> Select[Call]:
    centre = page.settings.centre
    rows = select(Call)
    if asked.q:
        number = phone.normalise(asked.q, centre.country, centre.area_code)
        rows = rows.where(
            or_(
                Call.caller_number == number,
                Call.caller_number.contains(asked.q, autoescape=True),
                Call.caller_name.icontains(asked.q, autoescape=True),
                Call.customer_id.in_(select(Customer.id).where(Customer.name.contains(asked.q, autoescape=True))),
            )
        )
    if asked.queue:
        rows = rows.where(Call.queue == asked.queue)
    if asked.agent:
        rows = rows.where(Call.agent == asked.agent)
    if asked.outcome:
        rows = rows.where(Call.ended_at.is_(None) if asked.outcome == "live" else Call.outcome == asked.outcome)
    if asked.first:
        rows = rows.where(Call.started_at >= datetime.combine(asked.first, time(), centre.zone))
    if asked.last:
        rows = rows.where(Call.started_at < datetime.combine(asked.last + timedelta(days=1), time(), centre.zone))
    if asked.before:
        rows = rows.where(before(asked.before))
    return rows


def cursor(call: Call) -> str:
    """Where a page ended: the next one begins with the call behind it, whatever has come in since."""
    return f"{to_us(call.started_at)}:{call.call_id}"


def before(text: str) -> ColumnElement[bool]:
    """The calls behind this cursor; BadInput where it is none of ours."""
    us, _, call_id = text.partition(":")
    if not us.isdigit() or len(us) > 17:
        raise BadInput(text)
    at = from_us(int(us))
    return or_(Call.started_at < at, and_(Call.started_at == at, Call.call_id < call_id))


def around(db: Session, calls: list[Call]) -> dict[str, Any]:
    """Names of the customers and agents of these calls, and which of them were recorded."""
    customers = {call.customer_id for call in calls if call.customer_id is not None}
    agents = {call.agent for call in calls if call.agent}
    ids = [call.call_id for call in calls]
    return {
        "customers": _pairs(db, select(Customer.id, Customer.name).where(Customer.id.in_(customers))),
        "agents": _pairs(db, select(User.extension, User.name).where(User.extension.in_(agents))),
        "recorded": _pairs(db, select(Recording.call_id, Recording.state).where(Recording.call_id.in_(ids))),
    }


def _pairs(db: Session, rows: Select[Any, Any]) -> dict[Any, Any]:
    return {row[0]: row[1] for row in db.execute(rows)}
