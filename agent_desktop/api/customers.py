"""Customers and engines, over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from agent_desktop.api import shapes
from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.shapes import Limit, Listed
from agent_desktop.desktop import LARGEST_ID, DesktopHere, Id, Reading
from callcenter import phone
from callcenter.database import now
from ticketing import customers, engines, search
from ticketing.rows import Customer, Engine

router = APIRouter(prefix="/v1")
FOUND_AT_MOST = 200


@router.get("/customers", dependencies=[right("customers")], tags=["customers"], summary="List or search customers")
def list_customers(
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    q: Annotated[str, Query(max_length=100, description="Name, pinyin, initials or number; likeliest first.")] = "",
    number: Annotated[str, Query(max_length=40, description="Exactly this number, as a caller shows it.")] = "",
    kind: Annotated[str, Query(max_length=12)] = "",
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
    limit: Limit = 50,
) -> Listed[shapes.Customer]:
    centre = desktop.settings.centre
    rows = select(Customer).options(selectinload(Customer.phones))
    if kind:
        rows = rows.where(Customer.kind == kind)
    wanted: list[int] | None = None
    if number:
        spelt = phone.normalise(number, centre.country, centre.area_code)
        wanted = [customer.id for customer, _level in customers.by_number(db, spelt)]
    elif q:
        hits = search.find(db, q, user, FOUND_AT_MOST, centre.country, centre.area_code)
        wanted = [hit.id for hit in hits if hit.kind == "customer"]
    if wanted is not None:
        found = {customer.id: customer for customer in db.scalars(rows.where(Customer.id.in_(wanted)))}
        ordered = [found[one] for one in wanted if one in found][:limit]
        return Listed(items=[shapes.Customer.model_validate(one) for one in ordered], next=None)
    if before is not None:
        rows = rows.where(Customer.id < before)
    newest = db.scalars(rows.order_by(Customer.id.desc()).limit(limit + 1)).all()
    return Listed(
        items=[shapes.Customer.model_validate(customer) for customer in newest[:limit]],
        next=str(newest[limit - 1].id) if len(newest) > limit else None,
    )


@router.get("/customers/{customer_id}", dependencies=[right("customers")], tags=["customers"], summary="One customer")
def read_customer(db: Reading, user: TokenUser, customer_id: Id) -> shapes.Customer:
    return shapes.Customer.model_validate(customers.load_customer(db, customer_id, user))


@router.post(
    "/customers",
    dependencies=[right("customers.write")],
    tags=["customers"],
    status_code=201,
    summary="Create a customer",
)
def create_customer(desktop: DesktopHere, sent: shapes.NewCustomer) -> shapes.Customer:
    centre = desktop.settings.centre
    with desktop.database.write() as db:
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


@router.patch(
    "/customers/{customer_id}",
    dependencies=[right("customers.write")],
    tags=["customers"],
    summary="Change a customer",
)
def change_customer(
    desktop: DesktopHere, user: TokenUser, customer_id: Id, sent: shapes.ChangedCustomer
) -> shapes.Customer:
    changes = {name: value for name, value in sent.model_dump(exclude_unset=True).items() if value is not None}
    with desktop.database.write() as db:
        customer = customers.load_customer(db, customer_id, user)
        return shapes.Customer.model_validate(customers.change(db, customer, now(), **changes))


@router.get("/engines", dependencies=[right("engines")], tags=["engines"], summary="List or find engines")
def list_engines(
    db: Reading,
    serial: Annotated[str, Query(max_length=40, description="The whole serial number or its end, four at least.")] = "",
    customer_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    before: Annotated[int | None, Query(le=LARGEST_ID)] = None,
    limit: Limit = 50,
) -> Listed[shapes.Engine]:
    if serial:
        found = engines.find(db, serial, limit)
        return Listed(items=[shapes.Engine.model_validate(engine) for engine in found], next=None)
    rows = select(Engine)
    if customer_id is not None:
        rows = rows.where(Engine.customer_id == customer_id)
    if before is not None:
        rows = rows.where(Engine.id < before)
    newest = db.scalars(rows.order_by(Engine.id.desc()).limit(limit + 1)).all()
    return Listed(
        items=[shapes.Engine.model_validate(engine) for engine in newest[:limit]],
        next=str(newest[limit - 1].id) if len(newest) > limit else None,
    )


@router.get(
    "/engines/{engine_id}", dependencies=[right("engines")], tags=["engines"], summary="One engine with its warranty"
)
def read_engine(desktop: DesktopHere, db: Reading, user: TokenUser, engine_id: Id) -> shapes.WholeEngine:
    engine = engines.load_engine(db, engine_id, user)
    today = now().astimezone(desktop.settings.centre.zone).date()
    warranty = shapes.Warranty.model_validate(engines.warranty(engine, today))
    return shapes.WholeEngine(**shapes.Engine.model_validate(engine).model_dump(), warranty=warranty)
