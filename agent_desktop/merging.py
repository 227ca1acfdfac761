"""Two records of one customer side by side: which to keep, what goes where; and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent_desktop.customers import CustomerHere, picked
from agent_desktop.desktop import Id, Reading
from agent_desktop.page import Page, PageHere, SentForm
from agent_desktop.session import allow
from agent_desktop.typed import Typed
from callcenter.database import now
from callcenter.errors import CallCenterError, NotFound
from cti.rows import Call
from ticketing import customers, duplicates, merges
from ticketing.kinds import Fault
from ticketing.rows import Customer
from ticketing.unfit import RecordUnfit

router = APIRouter()
LISTED = 200

Picked = Annotated[str, Query(max_length=200)]


@router.get("/customers/duplicates", dependencies=[allow("customers.merge")])
def list_duplicates(page: PageHere, db: Reading) -> HTMLResponse:
    return page.render("duplicates.html", rows=duplicates.listed(db, LISTED))


@router.post("/customers/{customer_id}/not-same", dependencies=[allow("customers.merge")])
def tell_apart(page: PageHere, customer_id: Id, sent: SentForm) -> Response:
    """Remembered, so that nobody is asked again; back to where it was said."""
    form = Typed(sent)
    other_id = form.number("other", required=True)
    form.done()
    with page.database.write() as db:
        duplicates.not_same(db, customer_id, other_id or 0, by=page.user.login, now=now())
    return RedirectResponse(f"/customers/{customer_id}", status_code=303)


@router.get("/customers/{customer_id}/merge", dependencies=[allow("customers.merge")])
def show_merge(
    page: PageHere, db: Reading, customer: CustomerHere, other: Picked = "", keep: Annotated[str, Query()] = ""
) -> Response:
    """``other`` as the fields pick a customer; ``keep`` "this" keeps this one and merges the other into it."""
    standing = customers.standing(db, customer.id)
    if standing is not None and standing.id != customer.id:
        return RedirectResponse(f"/customers/{standing.id}", status_code=303)
    form = Typed({"other": other})
    other_id = form.record("other")
    return _show(page, db, customer, other_id, other=other, keep=keep, faults=form.faults)


def _show(
    page: Page,
    db: Session,
    customer: Customer,
    other_id: int | None,
    *,
    other: str = "",
    keep: str = "",
    faults: Mapping[str, Fault] | None = None,
    why: str = "",
    detail: str = "",
    status: int = 200,
    typed: Mapping[str, str] | None = None,
) -> HTMLResponse:
    found = customers.standing(db, other_id) if other_id is not None else None
    told = dict(faults or {})
    if other_id is not None and found is None:
        told["other"] = Fault("没有这个客户", "There is no such customer")
    pair, look, calls = None, None, 0
    if found is not None:
        pair = (found, customer) if keep == "this" else (customer, found)
        try:
            look = merges.look(db, *pair)
            ids = customers.ids_of(db, pair[0])
            calls = db.scalar(select(func.count()).select_from(Call).where(Call.customer_id.in_(ids))) or 0
        except CallCenterError as fault:
            status, why, detail, pair = fault.status, page._(fault.sentence), fault.detail, None
    return page.render(
        "merge.html",
        status=status,
        customer=customer,
        pair=pair,
        look=look,
        calls=calls,
        fields=merges.FIELDS,
        other=picked(found) or other,
        keep=keep,
        faults={name: fault.text(page.language) for name, fault in told.items()},
        why=why,
        detail=detail,
        typed=typed or {},
    )


@router.post("/customers/{customer_id}/merge", dependencies=[allow("customers.merge")])
def merge_customers(page: PageHere, reading: Reading, customer: CustomerHere, sent: SentForm) -> Response:
    form = Typed(sent)
    other_id = form.record("other", required=True)
    take = [name for name in merges.FIELDS if sent.get(f"take.{name}") == "merged"]
    keep = sent.get("keep", "")
    try:
        form.done()
        ids = (other_id or 0, customer.id) if keep == "this" else (customer.id, other_id or 0)
        with page.database.write() as db:
            row = merges.merge(db, *ids, by=page.user.login, now=now(), take=take, note=sent.get("note", ""))
    except CallCenterError as fault:
        faults = fault.faults if isinstance(fault, RecordUnfit) else {}
        return _show(
            page,
            reading,
            customer,
            other_id,
            other=sent.get("other", ""),
            keep=keep,
            faults=faults,
            why=page._(fault.sentence),
            detail="" if faults else fault.detail,
            status=fault.status,
            typed=sent,
        )
    return RedirectResponse(f"/customers/{row.into_id}#merged", status_code=303)


@router.post("/customers/{customer_id}/merges/{merge_id}/part", dependencies=[allow("customers.merge")])
def part_customers(page: PageHere, customer_id: Id, merge_id: Id) -> Response:
    """Undo; the page of the record that stands again is shown."""
    with page.database.write() as db:
        if merges.load(db, merge_id).into_id != customer_id:
            raise NotFound("merge %(merge_id)s", merge_id=merge_id)
        row = merges.part(db, merge_id, by=page.user.login, now=now())
    return RedirectResponse(f"/customers/{row.merged_id}", status_code=303)
