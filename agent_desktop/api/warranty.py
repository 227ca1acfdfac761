"""The warranty rules over the API: those that stand, those that ended, and entering another."""

from __future__ import annotations

from datetime import date, datetime

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.desktop import Id, Reading
from callcenter.database import now
from ticketing import warranty

router = APIRouter(prefix="/v1/warranty-rules", tags=["warranty"])


class NewRule(Sent):
    clause: str = Field(max_length=12)
    zh: str = Field(max_length=200)
    en: str = Field(max_length=200)
    sold_from: date
    sold_until: date | None = Field(None, description="The last day of sale it holds for.")
    family: str = Field("", max_length=20, description="How the model begins; empty: every engine.")
    months: int = Field(ge=0, le=600)
    hours: int | None = Field(None, ge=0, le=1_000_000)
    km: int | None = Field(None, ge=0, le=100_000_000)
    run_in_clause: str = Field("", max_length=12)
    run_in_days: int | None = Field(None, ge=0, le=10_000)
    run_in_hours: int | None = Field(None, ge=0, le=100_000)


class Rule(Shape):
    id: int | None = Field(description="null: shipped, and no row yet.")
    clause: str
    zh: str
    en: str
    sold_from: date
    sold_until: date | None
    family: str
    months: int
    hours: int | None
    km: int | None
    run_in_clause: str
    run_in_days: int | None
    run_in_hours: int | None
    ended_at: datetime | None = None


@router.get("", dependencies=[right("warranty.write")], summary="The rules that stand, then those that ended")
def list_rules(request: Request, db: Reading, before: Before = "", limit: Limit = 50) -> Listed[Rule]:
    found = [*warranty.rules(db), *warranty.ended(db)]
    return cut(request, Rule, found, before, limit, lambda one: one.id or f"{one.family}:{one.sold_from}")


@router.post("", dependencies=[right("warranty.write")], status_code=201, summary="Enter a rule")
def enter_rule(once: OnceHere, user: TokenUser, sent: NewRule) -> Rule:
    def entered(db: Session) -> Rule:
        rule = warranty.Rule(**sent.model_dump())
        return Rule.model_validate(warranty.enter(db, rule, by=user.login, now=now()))

    return once.do(entered)


@router.post("/keep", dependencies=[right("warranty.write")], summary="Make rows of the shipped rules")
def keep_rules(request: Request, once: OnceHere, user: TokenUser) -> Listed[Rule]:
    """So that they can be ended."""

    def kept(db: Session) -> Listed[Rule]:
        warranty.keep_shipped(db, by=user.login, now=now())
        return cut(request, Rule, warranty.rules(db), "", 200, lambda one: one.id)

    return once.do(kept)


@router.post("/{rule_id}/end", dependencies=[right("warranty.write")], summary="Take a rule out of use")
def end_rule(once: OnceHere, user: TokenUser, rule_id: Id) -> Rule:
    return once.do(lambda db: Rule.model_validate(warranty.end(db, rule_id, by=user.login, now=now())))
