"""The parts catalogue: looked through, and kept by those who lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from config.people import names
from ticketing import parts
from ticketing.kinds import Fault
from ticketing.part_rows import Part
from ticketing.parts import StalePart
from ticketing.unfit import RecordUnfit

AT_ONCE = 50
OFFERED = 8
TEXTS = ("zh", "en", "superseded_by", "note")
DAYS = ("superseded_on", "from_on", "until_on")

router = APIRouter()


@router.get("/parts", dependencies=[allow("parts")])
def list_parts(
    page: PageHere,
    db: Reading,
    q: Annotated[str, Query(max_length=100)] = "",
    model: Annotated[str, Query(max_length=40)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    return _list(page, db, q=q, model=model, before=before)


def _list(
    page: Page,
    db: Session,
    *,
    q: str = "",
    model: str = "",
    before: int | None = None,
    faults: Mapping[str, Fault] | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> HTMLResponse:
    rows = parts.find(db, q, model, below_id=before, limit=AT_ONCE + 1)
    more = len(rows) > AT_ONCE and not q.strip()
    rows = rows[:AT_ONCE]
    return page.render(
        "part_list.html",
        status=status,
        rows=[(part, parts.newest(db, part)) for part in rows],
        today=page.today,
        next=rows[-1].id if more else "",
        asked={"q": q.strip(), "model": model.strip()},
        faults={name: fault.text(page.language) for name, fault in (faults or {}).items()},
        typed=typed or {},
    )


@router.post("/parts", dependencies=[allow("parts.write")])
def create_part(page: PageHere, reading: Reading, sent: SentForm) -> Response:
    try:
        form = Typed(sent)
        days = {name: form.day(name) for name in DAYS}
        form.done()
        values = {name: form.text(name) for name in TEXTS} | days
        with page.database.write() as db:
            fits = parts.families(form.text("fits"))
            part = parts.create(db, form.text("number"), by=page.user.login, now=now(), fits=fits, **values)
    except RecordUnfit as fault:
        return _list(page, reading, faults=fault.faults, typed=sent, status=fault.status)
    return RedirectResponse(f"/parts/{part.id}", status_code=303)


@router.get("/parts/offered", dependencies=[allow("parts")])
def offered(
    page: PageHere,
    db: Reading,
    q: Annotated[str, Query(max_length=100)] = "",
    model: Annotated[str, Query(max_length=40)] = "",
) -> JSONResponse:
    """The parts these words may mean, those that fit the model first, for a field in which parts are named."""
    if not q.strip():
        return JSONResponse([])
    fitting = parts.find(db, q, model, limit=OFFERED) if model.strip() else []
    found = {part.id: part for part in [*fitting, *parts.find(db, q, limit=OFFERED)]}
    return JSONResponse([_offer(page, db, part) for part in list(found.values())[:OFFERED]])


def _offer(page: Page, db: Session, part: Part) -> dict[str, str]:
    newest = parts.newest(db, part)
    today = page.today
    note = ""
    if newest is not part:
        note = page._("Superseded by %(number)s", number=newest.number)
    elif not part.holds(today):
        note = page._("Not supplied")
    return {
        "number": part.number,
        "name": part.title(page.language),
        "fits": "、".join(part.families[:6]),
        "note": note,
    }


@router.get("/parts/{part_id}", dependencies=[allow("parts")])
def show_part(page: PageHere, db: Reading, part_id: Id) -> HTMLResponse:
    return _show(page, db, parts.load(db, part_id))


def _show(
    page: Page,
    db: Session,
    part: Part,
    *,
    faults: Mapping[str, Fault] | None = None,
    typed: Mapping[str, str] | None = None,
    why: str = "",
    status: int = 200,
) -> HTMLResponse:
    held = {name: getattr(part, name) for name in TEXTS} | {"fits": "、".join(part.families)}
    held |= {name: day.isoformat() if (day := getattr(part, name)) else "" for name in DAYS}
    return page.render(
        "part.html",
        status=status,
        part=part,
        newest=parts.newest(db, part),
        follows=parts.by_number(db, part.superseded_by) if part.superseded_by else None,
        before=parts.before(db, part),
        today=page.today,
        faults={name: fault.text(page.language) for name, fault in (faults or {}).items()},
        shown=held | dict(typed or {}),
        why=why,
        names=names(db),
    )


@router.post("/parts/{part_id}", dependencies=[allow("parts.write")])
def change_part(page: PageHere, reading: Reading, part_id: Id, sent: SentForm) -> Response:
    try:
        form = Typed(sent)
        days = {name: form.day(name) for name in DAYS if name in sent}
        version = form.number("version")
        form.done()
        values = {name: form.text(name) for name in TEXTS if name in sent} | days
        fits = parts.families(form.text("fits")) if "fits" in sent else None
        with page.database.write() as db:
            part = parts.load(db, part_id)
            parts.change(db, part, by=page.user.login, now=now(), version=version, fits=fits, **values)
    except (RecordUnfit, StalePart) as fault:
        faults = (
            fault.faults
            if isinstance(fault, RecordUnfit)
            else {"": Fault("请核对后再保存", "Look at it again, then save")}
        )
        part = parts.load(reading, part_id)
        why = page._(fault.sentence)
        return _show(page, reading, part, faults=faults, typed=sent, why=why, status=fault.status)
    return RedirectResponse(f"/parts/{part_id}", status_code=303)
