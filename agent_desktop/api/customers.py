"""Customers, over the API."""

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
from agent_desktop.desktop import DesktopHere, Id, Reading
from callcenter import phone
from callcenter.database import now
from ticketing import customers, search
from ticketing.rows import Customer

router = APIRouter(prefix="/v1", tags=["customers"])
FOUND_AT_MOST = 200


@router.get("/customers", dependencies=[right("customers")], summary="List or search customers")
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


@router.post(
    "/customers/{customer_id}/phones",
    dependencies=[right("customers.write")],
    summary="Add a number, or confirm one that was a maybe",
)
def add_phone(
    desktop: DesktopHere, once: OnceHere, user: TokenUser, customer_id: Id, sent: shapes.NewPhone
) -> shapes.Customer:
    centre = desktop.settings.centre

    def added(db: Session) -> shapes.Customer:
        customer = customers.load_customer(db, customer_id, user)
        customers.add_phone(
            db,
            customer,
            sent.number,
            now(),
            label=sent.label,
            level=sent.level,
            by=user.login,
            country=centre.country,
            area_code=centre.area_code,
        )
        return shapes.Customer.model_validate(customer)

    return once.do(added)


@router.delete(
    "/customers/{customer_id}/phones/{phone_id}",
    dependencies=[right("customers.write")],
    summary="Take a number off",
)
def remove_phone(once: OnceHere, user: TokenUser, customer_id: Id, phone_id: Id) -> shapes.Customer:
    def removed(db: Session) -> shapes.Customer:
        customer = customers.load_customer(db, customer_id, user)
        customers.remove_phone(db, customer, phone_id, now(), by=user.login)
        return shapes.Customer.model_validate(customer)

    return once.do(removed)
