"""What a change of a ticket amounts to, checked whole before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.database import Base
from callcenter.errors import BadInput
from config.people import User
from ticketing import customers, parts, roads
from ticketing.kinds import MISSING, Fault, Form, Stage, TicketIncomplete, checked, too_long
from ticketing.rows import IDS, Customer, Engine, Station, Ticket, TicketState
from ticketing.text import line

_UNDONE = {state.value for state in TicketState if state is not TicketState.CLOSED}
CHANGEABLE = frozenset(
    [
        "subject",
        "urgent",
        "owner",
        "due_at",
        "customer_id",
        "engine_id",
        "station_id",
        "call_id",
        "fields",
        "state",
        "stage",
        "level",
    ]
)

_POINTS_TO: dict[str, tuple[type[Base], Fault]] = {
    "customer_id": (Customer, Fault("没有这个客户", "There is no such customer")),
    "engine_id": (Engine, Fault("没有这台发动机", "There is no such engine")),
    "station_id": (Station, Fault("没有这个服务站", "There is no such station")),
}


class NoWayThere(BadInput):
    """A ticket of this kind cannot go from where it stands to there."""


def values(db: Session, ticket: Ticket, form: Form, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns after the change; TicketIncomplete names every field at fault, NoWayThere a stage that is none."""
    new = dict(changes)
    if "customer_id" in new:
        new["customer_id"] = customers.standing_id(db, new["customer_id"])
    faults = unknown(db, new)
    if "subject" in new:
        new["subject"] = line(str(new["subject"]))
        if not new["subject"] or len(new["subject"]) > 200:
            faults["subject"] = MISSING if not new["subject"] else too_long(200)
    if "fields" in new:
        new["fields"], wrong = checked(form, ticket.fields | dict(new["fields"]), ticket.fields)
        read_marker(form, new["fields"])
        faults |= wrong | name_parts(db, form, new["fields"])
    if faults:
        raise TicketIncomplete(faults)
    stage = _stage_meant(ticket, form, new.get("stage"), new.pop("state", None))
    if stage is not None:
        new |= {"stage": stage.code, "state": stage.state.value}
    return new


def name_parts(db: Session, form: Form, answers: dict[str, Any]) -> dict[str, Fault]:
    """Parts named in an answer, as the catalogue calls them; and what it does not know."""
    faults = {}
    for field in form.fields:
        if field.shape == "parts" and answers.get(field.name):
            answers[field.name], fault = parts.used(db, answers[field.name])
            if fault is not None:
                faults[field.name] = fault
    return faults


def _stage_meant(ticket: Ticket, form: Form, code: str | None, state: str | None) -> Stage | None:
    """The stage meant by a code, or by a state alone: there, or back where it stood before it waited."""
    if code is None:
        if state is None or state == ticket.state:
            return None
        if state not in _UNDONE:
            raise BadInput("state: closing a ticket is a step of its own, with its outcome")
        before = [entry.changes["stage"][0] for entry in ticket.entries if "stage" in entry.changes]
        code = form.first(TicketState(state)).code
        if state == TicketState.OPEN and before and form.stage(before[-1]).state is TicketState.OPEN:
            code = before[-1]
    if code == ticket.stage:
        return None
    found = next((stage for stage in form.stages if stage.code == code), None)
    here = form.stage(ticket.stage)
    if found is None or found.state is TicketState.CLOSED or (here.next and code not in here.next):
        raise NoWayThere(f"{ticket.stage} → {code[:30]}")
    return found


def unknown(db: Session, named: Mapping[str, Any]) -> dict[str, Fault]:
    """What a ticket would point to but is not there."""
    faults: dict[str, Fault] = {}
    for name, (row, fault) in _POINTS_TO.items():
        number = named.get(name)
        if number is not None and (number not in IDS or db.get(row, number) is None):
            faults[name.removesuffix("_id")] = fault
    owner, call_id = named.get("owner") or "", named.get("call_id") or ""
    if owner and db.scalar(select(User.id).where(User.login == line(owner))) is None:
        faults["owner"] = Fault("没有这个用户", "There is no such user")
    if len(call_id) > 150 or not call_id.isprintable():
        faults["call_id"] = Fault("没有这个通话", "There is no such call")
    return faults


def read_marker(form: Form, answers: dict[str, Any]) -> None:
    """A kilometre marker said within the place is kept as one, where the form asks for it."""
    if form.field("road") and not answers.get("road"):
        found = roads.marker_in(str(answers.get("place", "")))
        if found is not None:
            answers["road"] = str(found)


def reached(ticket: Ticket, stage: Stage, now: datetime) -> dict[str, Any]:
    """What coming to a stage says beside: the customer is answered, the thing is done, or not after all."""
    told: dict[str, Any] = {}
    if stage.responds and ticket.responded_at is None:
        told["responded_at"] = [None, now.isoformat()]
    if stage.solves and ticket.solved_at is None:
        told["solved_at"] = [None, now.isoformat()]
    elif not stage.solves and ticket.solved_at is not None:
        told["solved_at"] = [ticket.solved_at.isoformat(), None]
    return told
