"""What people want done with a call, asked of the switch as job rows: looked at here, carried out by control.

A wish may come from another process than the switch's. It is void within seconds: nothing is done to a call later
than it was meant, and nothing is done twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import jobs, phone
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from config.queues import Queue
from config.settings import Settings
from cti import dialling, handovers
from cti.moves import Seats, outside_party
from cti.rows import Agent, Call, Leg

VALID_S = 5.0
OURS = 900_000_000  # behind the dot of a call's id: placed by us, far above what the switch counts itself
AGENT, QUEUE, NUMBER = "agent", "queue", "number"
GIVEN_BACK = ("kept", "talking", "ringing")


class NoSuchTarget(BadInput):
    """Neither an agent, nor a queue, nor a number that may be called from here."""


class NotFree(CallCenterError):
    """This colleague cannot take a call now."""

    status = 409


class NotInCall(CallCenterError):
    """This can be done only by whoever is on the line with the customer."""

    status = 409


class NotParked(CallCenterError):
    """This call is no longer parked: somebody else has it, or it is over."""

    status = 409


class NobodyAsked(CallCenterError):
    """Nobody is being asked about this call at the moment."""

    status = 409


class AlreadyAsking(CallCenterError):
    """Somebody is being asked about this call already."""

    status = 409


class PhoneBusy(CallCenterError):
    """Your own phone is busy or not registered; it is rung first."""

    status = 409


class NoPhone(CallCenterError):
    """This takes a phone of one's own; your account has no extension."""

    status = 409


@dataclass(frozen=True)
class Target:
    """Whom a call goes to; ``to`` is what the dial plan is told."""

    kind: str
    to: str


def target_of(db: Session, settings: Settings, text: str) -> Target:
    """An agent by extension, a queue by name, or an outside number in any spelling. NoSuchTarget."""
    text = text.strip()
    if db.scalar(select(User.id).where(User.extension == text, User.active)) is not None:
        return Target(AGENT, text)
    if db.get(Queue, text) is not None:
        return Target(QUEUE, text)
    digits = dialled(settings, text)
    if digits is None:
        raise NoSuchTarget(text[:40])
    return Target(NUMBER, digits)


def dialled(settings: Settings, text: str) -> str | None:
    """The digits by which the dial plan calls this number; None where it may not be called from here."""
    centre = settings.centre
    number = phone.main(phone.normalise(text, centre.country, centre.area_code))
    if not phone.is_number(number):
        return None
    written = phone.pretty(number, centre.country)
    digits = ("+" if written.startswith("+") else "") + re.sub(r"\D", "", written)
    return digits if any(re.fullmatch(_regex(one), digits) for one in settings.switch.dial_out) else None


def _regex(pattern: str) -> str:
    """A dial plan's pattern as Python writes it."""
    if not pattern.startswith("_"):
        return re.escape(pattern)
    words = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", "+": r"\+"}
    return "".join(
        part if part.startswith("[") else words.get(part, part) for part in re.findall(r"\[[^]]*\]|.", pattern[1:])
    )


# --- the wishes -----------------------------------------------------------------------------------------------------


def hang_up(db: Session, call_id: str, user: User, at: datetime) -> jobs.Job:
    """End every leg of the call. NotFound if none is left."""
    if not live_legs(db, call_id):
        raise NotFound("call %(call_id)s", call_id=call_id)
    return plan(db, "hang_up", call_id, user, at)


def send_on(
    db: Session, settings: Settings, call_id: str, to: str, user: User, at: datetime, said: Mapping[str, Any]
) -> jobs.Job:
    """Send the customer on, without asking whoever gets him; whoever talks to him is free then.

    ``said`` goes with him: note, ticket_id, draft. NotFound without a customer, NoSuchTarget, NotFree.
    """
    if outside_party(live_legs(db, call_id)) is None:
        raise NotFound("call %(call_id)s", call_id=call_id)
    target = target_of(db, settings, to)
    _free(db, settings, call_id, target, user, at)
    _hand_over(db, call_id, target, user, at, said, asks_first=False)
    return plan(db, "send_on", call_id, user, at, to=target.to, to_kind=target.kind)


def ask(
    db: Session, settings: Settings, call_id: str, to: str, user: User, at: datetime, said: Mapping[str, Any]
) -> jobs.Job:
    """Put the customer aside with music and call somebody about him.

    NotInCall, AlreadyAsking, NoSuchTarget, NotFree.
    """
    _alone_with_customer(db, call_id, user)
    target = target_of(db, settings, to)
    if target.kind == QUEUE:
        raise NoSuchTarget(to[:40])  # one asks a person; to a queue a customer is sent
    _free(db, settings, call_id, target, user, at)
    _hand_over(db, call_id, target, user, at, said, asks_first=True)
    return plan(db, "ask", call_id, user, at, to=target.to, to_kind=target.kind)


def answer_asked(db: Session, what: str, call_id: str, user: User, at: datetime) -> jobs.Job:
    """Of one who was asked: ``back`` to the customer without him, ``hand_over``, or all three ``meet``."""
    if _seats(db, call_id, user).asked is None:
        raise NobodyAsked
    return plan(db, what, call_id, user, at)


def park(db: Session, call_id: str, user: User, at: datetime) -> jobs.Job:
    """Leave the customer with music for anybody to fetch."""
    _alone_with_customer(db, call_id, user)
    return plan(db, "park", call_id, user, at)


def fetch(db: Session, call_id: str, user: User, at: datetime) -> jobs.Job:
    """Have a parked customer ring here. NotParked, NoPhone."""
    if user.extension is None:
        raise NoPhone
    call = db.get(Call, call_id)
    if call is None or call.state != "parked":
        raise NotParked
    return plan(db, "fetch", call_id, user, at)


def take_back(db: Session, call_id: str, user: User, at: datetime) -> jobs.Job:
    """Have the customer back whose talk with this agent broke: he is kept, or is tied to a leg that nobody is at.

    Who rings at such a leg rings again. NotInCall if he does none of these.
    """
    call = db.get(Call, call_id)
    if call is None or user.extension is None or call.agent != user.extension or call.state not in GIVEN_BACK:
        raise NotInCall
    return plan(db, "take_back" if call.state == "kept" else "let_go", call_id, user, at)


def dial(db: Session, settings: Settings, to: str, user: User, at: datetime, override: str = "") -> jobs.Job:
    """Ring the user's own phone and then this number. NoPhone, NotFree, NoSuchTarget, and what stands against it."""
    if user.extension is None:
        raise NoPhone
    agent = db.get(Agent, user.extension)
    if agent is None or not agent.reachable or agent.state in ("talking", "ringing"):
        raise PhoneBusy
    digits = dialled(settings, to)
    if digits is None:
        raise NoSuchTarget(to[:40])
    wish = dialling_wish(db, settings, digits, user, at, override)
    return jobs.plan(db, "dial", f"dial:{wish['call_id']}", wish, at, void_after=at + timedelta(seconds=VALID_S))


def dialling_wish(
    db: Session, settings: Settings, number: str, user: User, at: datetime, override: str = ""
) -> dict[str, Any]:
    """What the switch is to be told; the call has its id before it is placed, so it is never placed twice unseen."""
    permitted = dialling.permit(db, settings, number, user, at, override)
    permitted.call_id = f"{settings.switch.name}-{int(at.timestamp())}.{OURS + permitted.id}"
    return {
        "call_id": permitted.call_id,
        "agent": user.extension or "",
        "by": user.login,
        "to": dialled(settings, number) or "",
        "ring_s": settings.calling.ring_agent_s,
    }


def _free(db: Session, settings: Settings, call_id: str, target: Target, user: User, at: datetime) -> None:
    """NotFree where his phone would not even ring; a number outside is looked at as if it was dialled."""
    if target.kind == NUMBER:
        dialling.permit(db, settings, target.to, user, at).call_id = call_id
    if target.kind != AGENT:
        return
    agent = db.get(Agent, target.to)
    if agent is None or not agent.reachable or agent.state in ("talking", "ringing") or target.to == user.extension:
        raise NotFree(target.to)


def _hand_over(
    db: Session, call_id: str, target: Target, user: User, at: datetime, said: Mapping[str, Any], *, asks_first: bool
) -> None:
    handovers.hand_over(
        db,
        call_id,
        at,
        asks_first=asks_first,
        by=user.login,
        sender=user.extension or "",
        to_kind=target.kind,
        to=target.to,
        note=said.get("note", ""),
        ticket_id=said.get("ticket_id"),
        draft=said.get("draft", {}),
    )


def _seats(db: Session, call_id: str, user: User) -> Seats:
    """Who is on the line with this user; NotInCall if he is not."""
    seats = Seats.of(live_legs(db, call_id), user.extension or "")
    if seats.mine is None or seats.customer is None:
        raise NotInCall
    return seats


def _alone_with_customer(db: Session, call_id: str, user: User) -> None:
    seats = _seats(db, call_id, user)
    if seats.asked is not None:
        raise AlreadyAsking
    if not seats.with_customer or seats.meeting:
        raise NotInCall


def plan(db: Session, kind: str, call_id: str, user: User, at: datetime, **more: Any) -> jobs.Job:
    """The wish as a job, for now or not at all."""
    payload = {"call_id": call_id, "agent": user.extension or "", "by": user.login, **more}
    key = f"{kind}:{call_id}:{at.timestamp()}:{user.login}"
    return jobs.plan(db, kind, key, payload, at, void_after=at + timedelta(seconds=VALID_S))


def live_legs(db: Session, call_id: str) -> list[Leg]:
    """The call's channels that are still there, the oldest first."""
    standing = select(Leg).where(Leg.call_id == call_id, Leg.ended_at.is_(None))
    return list(db.scalars(standing.order_by(Leg.started_at, Leg.leg_id)))


def ours(call_id: str) -> bool:
    """Whether the call was placed by us, which its id says."""
    _, _, number = call_id.rpartition(".")
    return number.isdigit() and int(number) >= OURS
