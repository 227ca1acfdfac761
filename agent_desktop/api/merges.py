"""Records brought together and parted, over the API."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.once import OnceHere
from agent_desktop.api.paging import Limit
from agent_desktop.api.shapes import Reference, Sent, Shape
from agent_desktop.desktop import Id, Reading
from callcenter.database import now
from callcenter.errors import NotFound
from ticketing import customers, duplicates, merges

router = APIRouter(prefix="/v1", tags=["customers"])


class Merge(Shape):
    id: int
    merged_id: int
    into_id: int
    at: datetime
    by: str
    note: str
    moved: dict[str, list[int]] = Field(description="Rows that were made to point to the one kept, by table.column.")
    changes: dict[str, list[str]] = Field(description="Fields of the one kept: before, after.")
    undone_at: datetime | None
    undone_by: str


class NewMerge(Sent):
    into_id: Reference
    take: list[str] = Field(
        default_factory=list, max_length=7, description="Fields of which the merged one's words are kept."
    )
    note: str = Field("", max_length=200, description="How one knows that they are one.")


class Likeness(Shape):
    one_id: int
    other_id: int
    reasons: list[str] = Field(description="number:+86138…, code, name, sound, core, town, company")
    weight: int
    answer: str = Field(description="not_same, where somebody said so.")


class Other(Sent):
    other_id: Reference


@router.get("/duplicates", dependencies=[right("customers.merge")], summary="Customers that may be one")
def list_duplicates(db: Reading, limit: Limit = 50) -> list[Likeness]:
    return [Likeness.model_validate(one) for one in duplicates.listed(db, limit)]


@router.get(
    "/customers/{customer_id}/duplicates", dependencies=[right("customers.merge")], summary="Whom a customer may be"
)
def list_likenesses(db: Reading, user: TokenUser, customer_id: Id) -> list[Likeness]:
    customer = customers.load_customer(db, customer_id, user)
    found = duplicates.of(db, customer, customers.ids_of(db, customer))
    return [Likeness.model_validate(one.likeness) for one in found]


@router.post(
    "/customers/{customer_id}/not-same",
    dependencies=[right("customers.merge")],
    summary="Say that two customers are not the same",
)
def tell_apart(once: OnceHere, user: TokenUser, customer_id: Id, sent: Other) -> Likeness:
    def told(db: Session) -> Likeness:
        return Likeness.model_validate(duplicates.not_same(db, customer_id, sent.other_id, by=user.login, now=now()))

    return once.do(told)


@router.get(
    "/customers/{customer_id}/merges", dependencies=[right("customers")], summary="What was merged into a customer"
)
def list_merges(db: Reading, user: TokenUser, customer_id: Id) -> list[Merge]:
    customer = customers.load_customer(db, customer_id, user)
    return [Merge.model_validate(one) for one in merges.of(db, customer)]


@router.post(
    "/customers/{customer_id}/merge",
    dependencies=[right("customers.merge")],
    status_code=201,
    summary="Merge a customer into another",
)
def merge_customer(once: OnceHere, user: TokenUser, customer_id: Id, sent: NewMerge) -> Merge:
    def merged(db: Session) -> Merge:
        return Merge.model_validate(
            merges.merge(db, customer_id, sent.into_id, by=user.login, now=now(), take=sent.take, note=sent.note)
        )

    return once.do(merged)


@router.post(
    "/customers/{customer_id}/merges/{merge_id}/part",
    dependencies=[right("customers.merge")],
    summary="Undo a merge",
)
def part_customer(once: OnceHere, user: TokenUser, customer_id: Id, merge_id: Id) -> Merge:
    """``customer_id``: either of the two."""

    def parted(db: Session) -> Merge:
        row = merges.load(db, merge_id)
        if customer_id not in (row.merged_id, row.into_id):
            raise NotFound("merge %(merge_id)s", merge_id=merge_id)
        return Merge.model_validate(merges.part(db, merge_id, by=user.login, now=now()))

    return once.do(parted)
