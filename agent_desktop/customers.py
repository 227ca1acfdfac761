"""Customers and their engines: the list, the record, and changes to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from agent_desktop import calls
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere
from agent_desktop.session import allow
from callcenter.database import now
from callcenter.errors import BadInput
from config.queues import Queue
from cti.rows import Call
from ticketing import customers, engines, search, tickets
from ticketing.rows import Customer, CustomerKind, Engine, Ticket, TicketKind

AT_ONCE = 50
HISTORY = 50

router = APIRouter()


def readable_customer(page: PageHere, db: Reading, customer_id: Id) -> Customer:
    return customers.load_customer(db, customer_id, page.user)


def readable_engine(page: PageHere, db: Reading, engine_id: Id) -> Engine:
    return engines.load_engine(db, engine_id, page.user)


CustomerHere = Annotated[Customer, Depends(readable_customer)]
EngineHere = Annotated[Engine, Depends(readable_engine)]


@router.get("/customers", dependencies=[allow("customers")])
def list_customers(
    page: PageHere,
    db: Reading,
    q: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=12)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """What is searched by any of its words, or the newest."""
    rows = select(Customer).options(selectinload(Customer.phones), selectinload(Customer.engines))
    if kind:
        rows = rows.where(Customer.kind == kind)
    centre, more = page.settings.centre, False
    if q.strip():
        hits = search.find(db, q, page.user, limit=200, country=centre.country, area_code=centre.area_code)
        order = {hit.id: place for place, hit in enumerate(hits) if hit.kind == "customer"}
        owners = [hit.id for hit in hits if hit.kind == "engine"]
        owned = db.scalars(select(Engine.customer_id).where(Engine.id.in_(owners), Engine.customer_id.is_not(None)))
        for owner in owned:
            order.setdefault(owner or 0, len(order))
        found = list(db.scalars(rows.where(Customer.id.in_(order))))
        found.sort(key=lambda customer: order[customer.id])
    else:
        if before is not None:
            rows = rows.where(Customer.id < before)
        found = list(db.scalars(rows.order_by(Customer.id.desc()).limit(AT_ONCE + 1)))
        found, more = found[:AT_ONCE], len(found) > AT_ONCE
    return page.render(
        "customers.html",
        rows=found,
        asked={"q": q.strip(), "kind": kind},
        next=found[-1].id if more else "",
        kinds=CustomerKind,
    )


@router.post("/customers", dependencies=[allow("customers.write")])
def create_customer(
    page: PageHere,
    name: Annotated[str, Form(max_length=200)],
    kind: Annotated[str, Form(max_length=20)],
    number: Annotated[str, Form(max_length=60)] = "",
    region: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    centre = page.settings.centre
    with page.database.write() as db:
        customer = customers.create(
            db,
            kind,
            name,
            now(),
            phones=[number] if number.strip() else [],
            region=region,
            language=page.language,
            country=centre.country,
            area_code=centre.area_code,
        )
    return RedirectResponse(f"/customers/{customer.id}", status_code=303)


@router.get("/customers/{customer_id}", dependencies=[allow("customers")])
def show_customer(page: PageHere, db: Reading, customer: CustomerHere) -> HTMLResponse:
    seen = select(Call).where(Call.customer_id == customer.id, calls.visible(page.user))
    past = list(db.scalars(seen.order_by(Call.started_at.desc()).limit(HISTORY)))
    own = select(Engine).where(Engine.customer_id == customer.id).order_by(Engine.id).limit(200)
    return page.render(
        "customer.html",
        customer=customer,
        engines=[(engine, _warranty(page, engine)) for engine in db.scalars(own)],
        history=_visible_tickets(page, db, customer_id=customer.id),
        rows=past,
        queues={queue.name: queue.title(page.language) for queue in db.scalars(select(Queue))},
        kinds=CustomerKind,
        **calls.around(db, past),
    )


@router.post("/customers/{customer_id}", dependencies=[allow("customers.write")])
def change_customer(
    page: PageHere,
    customer_id: Id,
    name: Annotated[str, Form(max_length=200)],
    kind: Annotated[str, Form(max_length=20)],
    region: Annotated[str, Form(max_length=200)] = "",
    address: Annotated[str, Form(max_length=400)] = "",
    note: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    with page.database.write() as db:
        customer = customers.load_customer(db, customer_id, page.user)
        customers.change(db, customer, now(), name=name, kind=kind, region=region, address=address, note=note)
    return RedirectResponse(f"/customers/{customer_id}", status_code=303)


@router.post("/customers/{customer_id}/phones", dependencies=[allow("customers.write")])
def change_phones(
    page: PageHere,
    customer_id: Id,
    number: Annotated[str, Form(max_length=60)] = "",
    label: Annotated[str, Form(max_length=20)] = "",
    remove: Annotated[int | None, Form(ge=1, le=LARGEST_ID)] = None,
) -> Response:
    """Add a number (or confirm one that was a maybe), or take one off."""
    centre = page.settings.centre
    with page.database.write() as db:
        customer = customers.load_customer(db, customer_id, page.user)
        if remove is not None:
            customers.remove_phone(db, customer, remove, now())
        elif number.strip():
            customers.add_phone(
                db, customer, number, now(), label=label, country=centre.country, area_code=centre.area_code
            )
        else:
            raise BadInput
    return RedirectResponse(f"/customers/{customer_id}", status_code=303)


@router.get("/engines/{engine_id}", dependencies=[allow("engines")])
def show_engine(page: PageHere, db: Reading, engine: EngineHere) -> HTMLResponse:
    dealer = db.get(Customer, engine.dealer_id) if engine.dealer_id is not None else None
    return page.render(
        "engine.html",
        engine=engine,
        dealer=dealer,
        warranty=_warranty(page, engine),
        history=_visible_tickets(page, db, engine_id=engine.id),
    )


def _warranty(page: Page, engine: Engine) -> engines.Warranty:
    return engines.warranty(engine, now().astimezone(page.settings.centre.zone).date())


def _visible_tickets(
    page: Page, db: Session, *, customer_id: int | None = None, engine_id: int | None = None
) -> list[Ticket]:
    found = tickets.history(db, customer_id=customer_id, engine_id=engine_id, limit=HISTORY)
    return [ticket for ticket in found if page.may("tickets.all") or ticket.kind == TicketKind.FOLLOW_UP]
