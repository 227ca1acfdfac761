"""Customers and engines, over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from agent_desktop.api import shapes, versions
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Before, Limit, Listed, behind, number, page
from agent_desktop.api.versions import IfMatch
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Id, Reading
from callcenter import phone
from callcenter.database import now
from ticketing import customers, engines, search
from ticketing import warranty as warranties
from ticketing.rows import Customer, Engine

router = APIRouter(prefix="/v1")
FOUND_AT_MOST = 200


@router.get("/customers", dependencies=[right("customers")], tags=["customers"], summary="List or search customers")
def list_customers(
    request: Request,
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    q: Annotated[str, Query(max_length=100, description="Name, pinyin, initials or number; likeliest first.")] = "",
    shown_number: Annotated[
        str, Query(alias="number", max_length=40, description="Exactly this number, as a caller shows it.")
    ] = "",
    kind: Annotated[str, Query(max_length=12)] = "",
    before: Before = "",
    limit: Limit = 50,
) -> Listed[shapes.Customer]:
    centre = desktop.settings.centre
    rows = select(Customer).where(Customer.merged_into_id.is_(None)).options(selectinload(Customer.phones))
    if kind:
        rows = rows.where(Customer.kind == kind)
    wanted: list[int] | None = None
    if shown_number:
        spelt = phone.normalise(shown_number, centre.country, centre.area_code)
        wanted = [customer.id for customer, _level in customers.by_number(db, spelt)]
    elif q:
        hits = search.find(db, q, user, FOUND_AT_MOST, centre.country, centre.area_code)
        wanted = [hit.id for hit in hits if hit.kind == "customer"]
    if wanted is not None:
        there, more = behind(wanted, before, limit)
        found = {customer.id: customer for customer in db.scalars(rows.where(Customer.id.in_(there)))}
        ordered = [found[one] for one in there if one in found]
        return page(request, shapes.Customer, ordered, limit, lambda one: one.id, more=more)
    below = number(before)
    if below is not None:
        rows = rows.where(Customer.id < below)
    newest = db.scalars(rows.order_by(Customer.id.desc()).limit(limit + 1)).all()
    return page(request, shapes.Customer, newest, limit, lambda one: one.id)


@router.get(
    "/customers/{customer_id}",
    dependencies=[right("customers")],
    tags=["customers"],
    summary="One customer",
    response_model=shapes.Customer,
    responses={308: {"description": "Merged: the one kept is there"}},
)
def read_customer(db: Reading, user: TokenUser, response: Response, customer_id: Id) -> shapes.Customer | Response:
    customer = customers.load_customer(db, customer_id, user)
    kept = customers.standing_id(db, customer.id)
    if kept != customer.id:
        return RedirectResponse(f"/api/v1/customers/{kept}", status_code=308)
    versions.tag(response, customer.version)
    return shapes.Customer.model_validate(customer)


@router.post(
    "/customers",
    dependencies=[right("customers.write")],
    tags=["customers"],
    status_code=201,
    summary="Create a customer",
)
def create_customer(desktop: DesktopHere, once: OnceHere, sent: shapes.NewCustomer) -> shapes.Customer:
    centre = desktop.settings.centre

    def created(db: Session) -> shapes.Customer:
        customer = customers.create(
            db,
            sent.kind,
            sent.name,
            now(),
            phones=sent.phones,
            region=sent.region,
            address=sent.address,
            language=sent.language,
            note=sent.note,
            country=centre.country,
            area_code=centre.area_code,
        )
        return shapes.Customer.model_validate(customer)

    return once.do(created)


@router.patch(
    "/customers/{customer_id}",
    dependencies=[right("customers.write")],
    tags=["customers"],
    summary="Change a customer",
)
def change_customer(
    desktop: DesktopHere,
    user: TokenUser,
    response: Response,
    customer_id: Id,
    sent: shapes.ChangedCustomer,
    if_match: IfMatch = "",
) -> shapes.Customer:
    changes = {name: value for name, value in sent.model_dump(exclude_unset=True).items() if value is not None}
    expected = versions.looked_at(if_match)
    with desktop.database.write() as db:
        customer = customers.load_customer(db, customer_id, user)
        customer = customers.change(db, customer, now(), by=user.login, version=expected, **changes)
        versions.tag(response, customer.version)
        return shapes.Customer.model_validate(customer)


@router.get("/engines", dependencies=[right("engines")], tags=["engines"], summary="List or find engines")
def list_engines(
    request: Request,
    db: Reading,
    serial: Annotated[str, Query(max_length=40, description="The whole serial number or its end, four at least.")] = "",
    customer_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    before: Before = "",
    limit: Limit = 50,
) -> Listed[shapes.Engine]:
    if serial:
        found = {engine.id: engine for engine in engines.find(db, serial, FOUND_AT_MOST)}
        there, more = behind(list(found), before, limit)
        return page(request, shapes.Engine, [found[one] for one in there], limit, lambda one: one.id, more=more)
    rows = select(Engine)
    if customer_id is not None:
        rows = rows.where(Engine.customer_id == customers.standing_id(db, customer_id))
    below = number(before)
    if below is not None:
        rows = rows.where(Engine.id < below)
    newest = db.scalars(rows.order_by(Engine.id.desc()).limit(limit + 1)).all()
    return page(request, shapes.Engine, newest, limit, lambda one: one.id)


@router.get(
    "/engines/{engine_id}", dependencies=[right("engines")], tags=["engines"], summary="One engine with its warranty"
)
def read_engine(desktop: DesktopHere, db: Reading, user: TokenUser, engine_id: Id) -> shapes.WholeEngine:
    engine = engines.load_engine(db, engine_id, user)
    today = now().astimezone(desktop.settings.centre.zone).date()
    warranty = shapes.Warranty.model_validate(warranties.warranty(engine, today, warranties.rules(db)))
    return shapes.WholeEngine(**shapes.Engine.model_validate(engine).model_dump(), warranty=warranty)
