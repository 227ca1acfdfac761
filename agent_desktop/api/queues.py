"""Queues as a supervisor sets them, and the words a call is said to have come out with, over the API."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api import versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.api.versions import IfMatch
from agent_desktop.calls import load_call
from agent_desktop.desktop import DesktopHere, Reading
from agent_desktop.serving import ask_for_flow
from callcenter.database import now
from callcenter.events import Event
from callcenter.nudges import CallChanged
from config import definitions, queues
from cti import dispositions

router = APIRouter(prefix="/v1", tags=["queues"])


class Queue(Shape):
    name: str
    title_zh: str
    title_en: str
    strategy: str
    ticket_kind: str
    service_level: str
    target_s: int
    target_share: float
    short_abandon_s: int
    ring_s: int
    max_wait_s: int
    wrap_up_s: int
    exit_key: str
    version: int


class ChangedQueue(Sent):
    service_level: str | None = Field(None, max_length=3, description="sl1 … sl8; empty: as the settings say.")
    target_s: int | None = None
    target_share: float | None = Field(None, ge=0, le=1)
    short_abandon_s: int | None = None
    ring_s: int | None = None
    max_wait_s: int | None = None
    wrap_up_s: int | None = None
    exit_key: str | None = Field(None, max_length=1)


class Change(Shape):
    version: int
    at: datetime
    by: str
    changes: dict[str, list[int | float | str]] = Field(description="What: before, and from now on.")


class Member(Shape):
    extension: str
    name: str
    level: int = Field(description="0 is asked first.")


class SentMember(Sent):
    level: int = Field(0, ge=0, le=100)


class Left(BaseModel):
    served: bool = False


class Dialled(Shape):
    number: str
    title: str
    flow: str = Field(description="The menus its callers walk.")
    language: str
    default_queue: str = Field(description="Where callers wait whom no menu led elsewhere.")


class SentDialled(Sent):
    title: str = Field("", max_length=80)
    flow: str = Field("service", max_length=40)
    language: str = Field("zh", max_length=5)
    default_queue: str = Field(max_length=40)


class Outcome(Shape):
    code: str
    title_zh: str
    title_en: str
    place: int
    ended_at: datetime | None


class NewOutcome(Sent):
    code: str = Field(max_length=30)
    title_zh: str = Field(max_length=60)
    title_en: str = Field(max_length=60)
    place: int = Field(0, ge=0, le=999)


class SaidOutcome(Sent):
    code: str = Field(max_length=30)


class CameOut(BaseModel):
    call_id: str
    code: str


@router.get("/queues", dependencies=[right("queues.write")], summary="Every queue and what it is measured by")
def list_queues(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Queue]:
    return cut(request, Queue, queues.list_queues(db), before, limit, lambda one: one.name)


@router.get("/queues/{name}", dependencies=[right("queues.write")], summary="One queue")
def read_queue(db: Reading, response: Response, name: str) -> Queue:
    queue = queues.load_queue(db, name)
    versions.tag(response, queue.version)
    return Queue.model_validate(queue)


@router.patch("/queues/{name}", dependencies=[right("queues.write")], summary="Change what it is measured by")
def change_queue(
    desktop: DesktopHere, user: TokenUser, response: Response, name: str, sent: ChangedQueue, if_match: IfMatch = ""
) -> Queue:
    version = versions.looked_at(if_match)
    with desktop.database.write() as db:
        definitions.change(db, name, sent.model_dump(exclude_none=True), user.login, now(), version)
        queue = queues.load_queue(db, name)
        db.refresh(queue)
        versions.tag(response, queue.version)
        return Queue.model_validate(queue)


@router.get("/queues/{name}/changes", dependencies=[right("queues.write")], summary="Who changed it when")
def list_changes(request: Request, db: Reading, name: str, before: Before = "", limit: Limit = 50) -> Listed[Change]:
    found = definitions.history(db, queues.load_queue(db, name).name, limit=1000)
    return cut(request, Change, found, before, limit, lambda one: one.version)


# --- who serves a queue, and the numbers that lead to it -----------------------------------------------------------


@router.get("/queues/{name}/members", dependencies=[right("queues.write")], summary="Who serves it")
def list_members(request: Request, db: Reading, name: str, before: Before = "", limit: Limit = 50) -> Listed[Member]:
    """The first to be asked first."""
    found = _members(db, queues.load_queue(db, name).name)
    return cut(request, Member, found, before, limit, lambda one: one.extension)


@router.put("/queues/{name}/members/{extension}", dependencies=[right("queues.write")], summary="An agent serves it")
def set_member(once: OnceHere, name: str, extension: str, sent: SentMember) -> Member:
    def set_(db: Session) -> Member:
        queues.set_member(db, name, extension, sent.level)
        return next(one for one in _members(db, name) if one.extension == extension)

    return once.do(set_)


@router.delete(
    "/queues/{name}/members/{extension}",
    dependencies=[right("queues.write")],
    summary="He serves it no longer",
)
def end_member(once: OnceHere, name: str, extension: str) -> Left:
    def left(db: Session) -> Left:
        queues.remove_member(db, queues.load_queue(db, name).name, extension)
        return Left()

    return once.do(left)


def _members(db: Session, name: str) -> list[Member]:
    return [
        Member(extension=member.extension, name=user.name, level=member.penalty)
        for member, user in queues.members(db, name)
    ]


@router.get("/numbers", dependencies=[right("queues.write")], summary="The numbers people dial")
def list_numbers(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Dialled]:
    return cut(request, Dialled, queues.list_numbers(db), before, limit, lambda one: one.number)


@router.put("/numbers/{number}", dependencies=[right("queues.write")], summary="Say where a number leads")
def put_number(once: OnceHere, number: str, sent: SentDialled) -> Dialled:
    """A number that is not known yet is added."""
    ask_for_flow(once.desktop.settings, sent.flow)

    def put(db: Session) -> Dialled:
        told = (sent.title or number, sent.flow, sent.language, sent.default_queue)
        return Dialled.model_validate(queues.put_number(db, number, *told))

    return once.do(put)


# --- how calls come out --------------------------------------------------------------------------------------------


@router.get("/outcomes", dependencies=[right("calls")], summary="How a call may be said to have come out")
def list_outcomes(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Outcome]:
    """The ended ones, too."""
    return cut(request, Outcome, dispositions.every(db), before, limit, lambda one: one.code)


@router.post("/outcomes", dependencies=[right("queues.write")], summary="A new code, or other words for one")
def put_outcome(once: OnceHere, sent: NewOutcome) -> Outcome:
    return once.do(lambda db: Outcome.model_validate(dispositions.put(db, **sent.model_dump())))


@router.post("/outcomes/{code}/end", dependencies=[right("queues.write")], summary="Offer a code no longer")
def end_outcome(once: OnceHere, code: str) -> Outcome:
    return once.do(lambda db: Outcome.model_validate(dispositions.end(db, code, now())))


@router.post("/calls/{call_id}/outcome", dependencies=[right("desk")], summary="How this call came out")
def say_outcome(once: OnceHere, user: TokenUser, call_id: str, sent: SaidOutcome) -> CameOut:
    """Said again it replaces what was said."""
    nudges: list[Event] = []

    def said(db: Session) -> CameOut:
        call = load_call(db, call_id, user)
        dispositions.say(db, call.call_id, sent.code, user, now())
        nudges.append(CallChanged(call_id=call.call_id, state=call.state, queue=call.queue, agent=call.agent))
        return CameOut(call_id=call.call_id, code=sent.code)

    return once.do(said, nudges)
