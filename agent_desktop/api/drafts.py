"""Words of the desk's form that are not saved yet, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Sent, Shape
from agent_desktop.calls import load_call
from agent_desktop.desktop import Reading
from agent_desktop.drafts import FORM
from agent_desktop.windows import WINDOW
from callcenter.database import now
from ticketing import drafts

router = APIRouter(prefix="/v1", tags=["drafts"])

Window = Annotated[str, Field(pattern=WINDOW, description="Who writes: each window or program keeps one of its own.")]


class Draft(Shape):
    call_id: str
    window: str
    at: datetime
    values: dict[str, str | bool]


class NewDraft(Sent):
    window: Window
    values: dict[str, str | bool] = Field(max_length=drafts.MOST_VALUES)


class Dropped(BaseModel):
    dropped: bool = True


@router.get("/drafts", dependencies=[right("desk")], summary="One's own drafts, the newest first")
def list_drafts(
    request: Request, db: Reading, user: TokenUser, before: Before = "", limit: Limit = 50
) -> Listed[Draft]:
    found = [one for one in drafts.open_drafts(db, user.login, 200) if one.form == FORM]
    return cut(request, Draft, found, before, limit, lambda one: f"{one.call_id}:{one.window}")


@router.put("/calls/{call_id}/draft", dependencies=[right("desk")], summary="Keep what is typed about a call")
def keep_draft(once: OnceHere, user: TokenUser, call_id: str, sent: NewDraft) -> Draft:
    def kept(db: Session) -> Draft:
        call = load_call(db, call_id, user)
        return Draft.model_validate(drafts.keep(db, user.login, call.call_id, FORM, sent.window, sent.values, now()))

    return once.do(kept)


@router.delete("/calls/{call_id}/draft", dependencies=[right("desk")], summary="These words are wanted no longer")
def drop_draft(once: OnceHere, user: TokenUser, call_id: str) -> Dropped:
    def dropped(db: Session) -> Dropped:
        drafts.drop(db, user.login, call_id, FORM)
        return Dropped()

    return once.do(dropped)
