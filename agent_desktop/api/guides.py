"""Guides over the API: written, walked through question by question, and what was answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api import versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Id, Reading
from agent_desktop.knowledge import about
from callcenter.database import now
from ticketing import guides, tickets

router = APIRouter(prefix="/v1", tags=["knowledge"])

Text = Annotated[str, Field(min_length=1, max_length=50_000, description="The steps, as they are written.")]


class Way(Shape):
    say: str
    to: str = Field(description="The next step; empty where this is the end.")
    advice: str


class Step(Shape):
    name: str
    ask: str
    ways: list[Way]


class Guide(Shape):
    id: int
    language: str
    title: str
    faults: list[str]
    text: str
    steps: list[Step]
    active: bool
    version: int
    changed_by: str
    changed_at: datetime


class NewGuide(Sent):
    language: Literal["zh", "en"] = "zh"
    title: str = Field(min_length=1, max_length=200)
    faults: list[str] = Field(default=[], max_length=50)
    text: Text


class ChangedGuide(Sent):
    version: int = Field(ge=0, le=LARGEST_ID)
    title: str = Field(min_length=1, max_length=200)
    faults: list[str] = Field(default=[], max_length=50)
    text: Text
    active: bool = True


class Answer(Sent):
    step: str = Field(max_length=40)
    way: int = Field(ge=0, le=100, description="Which of its ways, from 0.")
    call_id: str | None = Field(None, max_length=150)
    ticket_id: Reference | None = None


class Next(BaseModel):
    advice: str
    step: Step | None = Field(description="What is asked next; null at the end.")


class Answered(Shape):
    id: int
    guide_id: int
    version: int
    step: str
    ask: str
    answer: str
    by: str
    at: datetime


@router.get("/guides", dependencies=[right("knowledge")], summary="List guides, those about the fault first")
def list_guides(
    request: Request,
    db: Reading,
    user: TokenUser,
    fault: Annotated[str, Query(max_length=40, description="A fault code.")] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Guide]:
    found = guides.listed(db, fault=fault, language=user.language)
    return cut(request, Guide, found, before, limit, lambda one: one.id)


@router.get("/guides/{guide_id}", dependencies=[right("knowledge")], summary="One guide")
def read_guide(db: Reading, response: Response, guide_id: Id) -> Guide:
    guide = guides.load(db, guide_id)
    versions.tag(response, guide.version)
    return Guide.model_validate(guide)


@router.post("/guides", dependencies=[right("knowledge.write")], status_code=201, summary="Write a guide")
def write_guide(once: OnceHere, user: TokenUser, sent: NewGuide) -> Guide:
    return once.do(lambda db: Guide.model_validate(guides.write(db, **sent.model_dump(), by=user.login, now=now())))


@router.put("/guides/{guide_id}", dependencies=[right("knowledge.write")], summary="Change a guide")
def change_guide(
    desktop: DesktopHere, user: TokenUser, response: Response, guide_id: Id, sent: ChangedGuide, if_match: IfMatch = ""
) -> Guide:
    version = versions.looked_at(if_match)
    values = sent.model_dump() | ({} if version is None else {"version": version})
    with desktop.database.write() as db:
        guide = guides.change(db, guides.load(db, guide_id), **values, by=user.login, now=now())
        versions.tag(response, guide.version)
        return Guide.model_validate(guide)


@router.post(
    "/guides/{guide_id}/answers",
    dependencies=[right("desk"), right("knowledge")],
    status_code=201,
    summary="One answer, kept with the call or ticket; and what comes next",
)
def answer_guide(once: OnceHere, user: TokenUser, guide_id: Id, sent: Answer) -> Next:
    def answered(db: Session) -> Next:
        guide, kept_with = guides.load(db, guide_id), about(db, user, sent.call_id, sent.ticket_id)
        way = guides.answer(db, guide, sent.step, sent.way, by=user.login, now=now(), **kept_with)
        following = guides.steps_of(guide).get(way.to)
        return Next(advice=way.advice, step=Step.model_validate(following) if following else None)

    return once.do(answered)


@router.get("/tickets/{ticket_id}/answers", dependencies=[right("tickets")], tags=["tickets"], summary="What was asked")
def list_answers(
    request: Request, db: Reading, user: TokenUser, ticket_id: Id, before: Before = "", limit: Limit = 50
) -> Listed[Answered]:
    ticket = tickets.load_ticket(db, ticket_id, user)
    found = guides.answered(db, ticket_id=ticket.id, call_id=ticket.call_id)
    return cut(request, Answered, found, before, limit, lambda one: one.id)
