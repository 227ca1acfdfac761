"""Customers: the list, the record with all that hangs on it, and changes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from agent_desktop import timeline
from agent_desktop.desktop import LARGEST_ID, Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.refused import RECORD, Refused, again, step
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from callcenter.errors import BadInput
from config.people import names
from ticketing import customers, duplicates, entries, merges, owners, relations, search
from ticketing import warranty as warranties
from ticketing.kinds import Fault
from ticketing.relations import RelationKind
from ticketing.rows import Customer, CustomerKind, Engine
from ticketing.unfit import RecordUnfit

AT_ONCE = 50
ENGINES = 200
FIELDS = ("name", "kind", "code", "region", "address", "language", "note")

router = APIRouter()


def readable_customer(page: PageHere, db: Reading, customer_id: Id) -> Customer:
    return customers.load_customer(db, customer_id, page.user)


CustomerHere = Annotated[Customer, Depends(readable_customer)]
Before = Annotated[datetime | None, Query(description="Older than this.")]
Show = Annotated[str, Query(pattern="^(all|calls|tickets|notes|record)$")]


@router.get("/customers", dependencies=[allow("customers")])
def list_customers(
    page: PageHere,
    db: Reading,
    q: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=12)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """What is searched by any of its words, or the newest."""
    return _list(page, db, q=q, kind=kind, before=before)


def _list(
    page: Page,
    db: Session,
    *,
    q: str = "",
    kind: str = "",
    before: int | None = None,
    refused: Refused | None = None,
) -> HTMLResponse:
    rows = select(Customer).where(Customer.merged_into_id.is_(None))
    rows = rows.options(selectinload(Customer.phones), selectinload(Customer.engines))
    if kind:
        rows = rows.where(Customer.kind == kind)
    centre, more = page.settings.centre, False
    if q.strip():
        hits = search.find(db, q, page.user, limit=200, country=centre.country, area_code=centre.area_code)
        order = {hit.id: place for place, hit in enumerate(hits) if hit.kind == "customer"}
        owning = [hit.id for hit in hits if hit.kind == "engine"]
        owned = db.scalars(select(Engine.customer_id).where(Engine.id.in_(owning), Engine.customer_id.is_not(None)))
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
        **again(page, refused, {"name": "", "kind": "end_user", "number": "", "region": ""}),
    )


@router.get("/customers/names", dependencies=[allow("customers")])
def offer_customers(page: PageHere, db: Reading, q: Annotated[str, Query(max_length=100)] = "") -> JSONResponse:
    """What the fields that ask for a customer offer while one types."""
    return JSONResponse([picked(customer) for customer in customers.offered(db, q)])


def picked(customer: Customer | None) -> str:
    """A customer as a field writes him, so that it can be read again."""
    return f"{customer.name} · {customer.region} #{customer.id}" if customer is not None else ""


@router.post("/customers", dependencies=[allow("customers.write")])
def create_customer(page: PageHere, reading: Reading, sent: SentForm) -> Response:
    centre, number = page.settings.centre, sent.get("number", "").strip()
    try:
        with page.database.write() as db:
            customer = customers.create(
                db,
                sent.get("kind", ""),
                sent.get("name", ""),
                now(),
                phones=[number] if number else [],
                region=sent.get("region", ""),
                language=page.language,
                country=centre.country,
                area_code=centre.area_code,
            )
    except RecordUnfit as fault:
        return _list(page, reading, refused=Refused(RECORD, sent, fault))
    return RedirectResponse(f"/customers/{customer.id}", status_code=303)


@router.get("/customers/{customer_id}", dependencies=[allow("customers")])
def show_customer(
    page: PageHere, db: Reading, customer: CustomerHere, show: Show = "all", before: Before = None
) -> Response:
    standing = customers.standing(db, customer.id)
    if standing is not None and standing.id != customer.id:
        return RedirectResponse(f"/customers/{standing.id}", status_code=303)
    return _show(page, db, customer, show=show, before=before)


def _show(
    page: Page,
    db: Session,
    customer: Customer,
    *,
    show: str = "all",
    before: datetime | None = None,
    refused: Refused | None = None,
) -> HTMLResponse:
    today, ids = page.today, customers.ids_of(db, customer)
    rules = warranties.rules(db)
    own = select(Engine).where(Engine.customer_id.in_(ids)).order_by(Engine.id).limit(ENGINES)
    return page.render(
        "customer.html",
        customer=customer,
        today=today,
        engines=[(engine, warranties.warranty(engine, today, rules)) for engine in db.scalars(own)],
        once=owners.once_of(db, customer.id),
        sides=relations.of(db, customer.id),
        relation_kinds=RelationKind,
        merged=merges.of(db, customer),
        names=names(db),
        alike=duplicates.of(db, customer, ids) if page.may("customers.merge") else [],
        line=timeline.of_customer(db, page.user, ids, language=page.language, show=show, before=before),
        shows=timeline.SHOWN,
        asked={"show": show},
        kinds=CustomerKind,
        **again(page, refused, {name: getattr(customer, name) for name in FIELDS}),
    )


def _step(
    page: Page, customer_id: int, part: str, sent: Mapping[str, str], take: Callable[[Session, Customer], object]
) -> Response:
    def load(db: Session) -> Customer:
        return customers.load_customer(db, customer_id, page.user)

    return step(
        page,
        f"/customers/{customer_id}",
        part,
        sent,
        lambda db: take(db, load(db)),
        lambda db, refused: _show(page, db, load(db), refused=refused),
    )


@router.post("/customers/{customer_id}", dependencies=[allow("customers.write")])
def change_customer(page: PageHere, customer_id: Id, sent: SentForm) -> Response:
    """The fields that were sent; ``version`` is what the changer was looking at."""
    given = {name: sent[name] for name in FIELDS if name in sent}
    version = Typed(sent).number("version")
    return _step(
        page,
        customer_id,
        RECORD,
        sent,
        lambda db, customer: customers.change(db, customer, now(), by=page.user.login, version=version, **given),
    )


@router.post("/customers/{customer_id}/phones", dependencies=[allow("customers.write")])
def change_phones(page: PageHere, customer_id: Id, sent: SentForm) -> Response:
    """Add a number (or confirm one that was a maybe), or take one off."""
    centre, by = page.settings.centre, page.user.login
    number, label, remove = sent.get("number", ""), sent.get("label", ""), Typed(sent).number("remove")

    def take(db: Session, customer: Customer) -> None:
        if remove is not None:
            customers.remove_phone(db, customer, remove, now(), by=by)
            return
        try:
            customers.add_phone(
                db,
                customer,
                number,
                now(),
                label=label,
                level="known" if sent.get("sure", "1") == "1" else "maybe",
                by=by,
                country=centre.country,
                area_code=centre.area_code,
            )
        except BadInput as fault:
            raise RecordUnfit({"number": Fault("不是可以拨打的号码", "No number anybody could call")}) from fault

    return _step(page, customer_id, "numbers", sent, take)


@router.post("/customers/{customer_id}/notes", dependencies=[allow("customers.write")])
def note_customer(page: PageHere, customer_id: Id, sent: SentForm) -> Response:
    """Dated words; a number in them is kept as one that may be his."""

    def take(db: Session, customer: Customer) -> None:
        words = sent.get("text", "")
        entries.note(db, customer, words, by=page.user.login, now=now())
        customers.numbers_in(db, customer, words, now(), page.settings.centre.country)

    return _step(page, customer_id, "timeline", sent, take)


@router.post("/customers/{customer_id}/relations", dependencies=[allow("customers.write")])
def change_relations(page: PageHere, customer_id: Id, sent: SentForm) -> Response:
    """Add how he stands to another; or end one, by its ``relation``."""

    def take(db: Session, customer: Customer) -> None:
        form = Typed(sent)
        ending, until_on = form.number("relation"), form.day("until_on")
        if ending is not None:
            relations.end(db, customer, ending, until_on or page.today, by=page.user.login, now=now())
            return
        other, from_on = form.record("other", required=True), form.day("from_on")
        form.done()
        kind, _, turned = sent.get("kind", "").partition(":")
        one, other_id = customer, other or 0
        if turned:  # as the other one would say it
            found = customers.standing(db, other_id) if other_id else None
            one, other_id = found or customer, customer.id
        relations.add(
            db,
            one,
            other_id,
            kind,
            by=page.user.login,
            now=now(),
            from_on=from_on,
            until_on=until_on,
            note=sent.get("note", ""),
        )

    return _step(page, customer_id, "relations", sent, take)
