"""Engines: the list, the file of one with its owners, readings and warranty, and changes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from agent_desktop import timeline
from agent_desktop.customers import Before, Show, picked
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.refused import RECORD, Refused, again, step
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from config.people import names
from ticketing import attachments, engines, entries, installations, owners, readings, search
from ticketing import warranty as warranties
from ticketing.engines import SerialTaken
from ticketing.entries import StaleRecord
from ticketing.kinds import MISSING, Fault
from ticketing.rows import Customer, Engine
from ticketing.unfit import RecordUnfit

AT_ONCE = 50
TEXTS = ("model", "plant", "vehicle", "vin")
DAYS = ("built_on", "sold_on", "warranty_until", "run_in_on")
NUMBERS = ("warranty_hours", "run_in_hours")
PEOPLE = {"dealer": "dealer_id", "run_in_station": "run_in_station_id"}
"""Fields that pick a customer, and the columns they fill."""

router = APIRouter()


def readable_engine(page: PageHere, db: Reading, engine_id: Id) -> Engine:
    return engines.load_engine(db, engine_id, page.user)


EngineHere = Annotated[Engine, Depends(readable_engine)]


@router.get("/engines", dependencies=[allow("engines")])
def list_engines(
    page: PageHere,
    db: Reading,
    q: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """What is searched by serial number, VIN, machine or model, or the newest."""
    return _list(page, db, q=q, before=before)


def _list(
    page: Page,
    db: Session,
    *,
    q: str = "",
    before: int | None = None,
    refused: Refused | None = None,
) -> HTMLResponse:
    rows, more = select(Engine).options(selectinload(Engine.customer)), False
    if q.strip():
        hits = search.find(db, q, page.user, limit=200, country=page.settings.centre.country)
        order = {hit.id: place for place, hit in enumerate(hits) if hit.kind == "engine"}
        found = sorted(db.scalars(rows.where(Engine.id.in_(order))), key=lambda engine: order[engine.id])
    else:
        if before is not None:
            rows = rows.where(Engine.id < before)
        found = list(db.scalars(rows.order_by(Engine.id.desc()).limit(AT_ONCE + 1)))
        found, more = found[:AT_ONCE], len(found) > AT_ONCE
    today, rules = page.today, warranties.rules(db)
    return page.render(
        "engines.html",
        rows=[(engine, warranties.warranty(engine, today, rules)) for engine in found],
        asked={"q": q.strip()},
        next=found[-1].id if more else "",
        **again(page, refused, {"serial": "", "model": "", "vehicle": "", "owner": "", "sold_on": ""}),
    )


@router.post("/engines", dependencies=[allow("engines.write")])
def create_engine(page: PageHere, reading: Reading, sent: SentForm) -> Response:
    form = Typed(sent)
    owner, sold_on = form.record("owner"), form.day("sold_on")
    if len(engines.spell(form.text("serial"))) < 4:
        form.faults["serial"] = Fault("机号为 4 到 40 位字母和数字", "4 to 40 letters and digits")
    if not form.text("model"):
        form.faults["model"] = MISSING
    try:
        form.done()
        with page.database.write() as db:
            engine = engines.create(
                db,
                form.text("serial"),
                form.text("model"),
                customer_id=owner,
                vehicle=form.text("vehicle"),
                sold_on=sold_on,
            )
    except SerialTaken as taken:
        fault = RecordUnfit({"serial": Fault(f"{taken.detail} 已在册", f"{taken.detail} is on file already")})
        return _list(page, reading, refused=Refused(RECORD, sent, fault))
    except RecordUnfit as unfit:
        return _list(page, reading, refused=Refused(RECORD, sent, unfit))
    return RedirectResponse(f"/engines/{engine.id}", status_code=303)


@router.get("/engines/{engine_id}", dependencies=[allow("engines")])
def show_engine(
    page: PageHere, db: Reading, engine: EngineHere, show: Show = "all", before: Before = None
) -> HTMLResponse:
    return _show(page, db, engine, show=show, before=before)


def _show(
    page: Page,
    db: Session,
    engine: Engine,
    *,
    show: str = "all",
    before: datetime | None = None,
    refused: Refused | None = None,
) -> HTMLResponse:
    today, installed = page.today, installations.of(db, engine.id)
    people = {
        name: db.get(Customer, number) if (number := getattr(engine, column)) else None
        for name, column in PEOPLE.items()
    }
    shown: dict[str, Any] = {name: getattr(engine, name) for name in TEXTS}
    shown |= {name: day.isoformat() if (day := getattr(engine, name)) else "" for name in DAYS}
    shown |= {name: "" if getattr(engine, name) is None else getattr(engine, name) for name in NUMBERS}
    shown |= {name: picked(person) for name, person in people.items()}
    return page.render(
        "engine.html",
        engine=engine,
        people=people,
        today=today,
        warranty=warranties.warranty(engine, today, warranties.rules(db)),
        history=owners.history(db, engine.id),
        readings=readings.history(db, engine.id)[::-1],
        installed=installed,
        names=names(db),
        papers=attachments.of_installations(db, [one.id for one in installed]),
        install=installations,
        line=timeline.of_engine(db, page.user, engine, language=page.language, show=show, before=before),
        shows=timeline.SHOWN,
        asked={"show": show},
        **again(page, refused, shown),
    )


def step_of(
    page: Page, engine_id: int, part: str, sent: Mapping[str, str], take: Callable[[Session, Engine], object]
) -> Response:
    def load(db: Session) -> Engine:
        return engines.load_engine(db, engine_id, page.user)

    return step(
        page,
        f"/engines/{engine_id}",
        part,
        sent,
        lambda db: take(db, load(db)),
        lambda db, refused: _show(page, db, load(db), refused=refused),
    )


@router.post("/engines/{engine_id}", dependencies=[allow("engines.write")])
def change_engine(page: PageHere, engine_id: Id, sent: SentForm) -> Response:
    """The fields that were sent; ``version`` is what the changer was looking at."""

    def take(db: Session, engine: Engine) -> None:
        form = Typed(sent)
        given: dict[str, Any] = {name: form.text(name) for name in TEXTS if name in sent}
        given |= {name: form.day(name) for name in DAYS if name in sent}
        given |= {name: form.number(name) for name in NUMBERS if name in sent}
        given |= {column: form.record(name) for name, column in PEOPLE.items() if name in sent}
        version = form.number("version")
        form.done()
        as_on_plate = form.tick("as_on_plate")
        try:
            engines.change(db, engine, now(), by=page.user.login, version=version, as_on_plate=as_on_plate, **given)
        except (RecordUnfit, StaleRecord) as fault:
            raise _by_field(fault) from None

    return step_of(page, engine_id, RECORD, sent, take)


def _by_field(fault: RecordUnfit | StaleRecord) -> RecordUnfit | StaleRecord:
    """The same faults by the names of the form's fields."""
    fields = {column: name for name, column in PEOPLE.items()}
    if isinstance(fault, RecordUnfit):
        return RecordUnfit({fields.get(name, name): wrong for name, wrong in fault.faults.items()})
    theirs = {fields.get(name, name): value for name, value in fault.theirs.items()}
    called = {login: fault.who[name] for name, login in fault.by.items()}
    return StaleRecord(theirs, {fields.get(name, name): login for name, login in fault.by.items()}, called)


@router.post("/engines/{engine_id}/readings", dependencies=[allow("engines.write")])
def change_readings(page: PageHere, engine_id: Id, sent: SentForm) -> Response:
    """Add what the meters show; or take back one that was wrong, by its ``remove``."""

    def take(db: Session, engine: Engine) -> None:
        form = Typed(sent)
        remove, on, hours, km = form.number("remove"), form.day("on"), form.number("hours"), form.number("km")
        form.done()
        if remove is not None:
            readings.take_back(db, engine, remove, by=page.user.login, now=now())
            return
        today = page.today
        readings.add(
            db,
            engine,
            on or today,
            hours=hours,
            km=km,
            new_meter=form.tick("new_meter"),
            by=page.user.login,
            now=now(),
            today=today,
        )

    return step_of(page, engine_id, "readings", sent, take)


@router.post("/engines/{engine_id}/owner", dependencies=[allow("engines.write")])
def change_owner(page: PageHere, engine_id: Id, sent: SentForm) -> Response:
    """From a day on the engine is another's; an empty field says that nobody knows whose."""

    def take(db: Session, engine: Engine) -> None:
        form = Typed(sent)
        owner, on = form.record("customer"), form.day("on", required=True)
        form.done()
        today = page.today
        owners.hand_over(
            db, engine, owner, on or today, by=page.user.login, now=now(), today=today, note=sent.get("note", "")
        )

    return step_of(page, engine_id, "owners", sent, take)


@router.post("/engines/{engine_id}/notes", dependencies=[allow("engines.write")])
def note_engine(page: PageHere, engine_id: Id, sent: SentForm) -> Response:
    words = sent.get("text", "")
    return step_of(
        page,
        engine_id,
        "timeline",
        sent,
        lambda db, engine: entries.note(db, engine, words, by=page.user.login, now=now()),
    )
