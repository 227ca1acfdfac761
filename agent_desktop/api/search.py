"""The one search box, over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from agent_desktop.api.access import TokenUser, right
from agent_desktop.api.paging import Before, Limit, Listed, cut
from agent_desktop.api.shapes import Shape
from agent_desktop.desktop import DesktopHere, Reading
from ticketing import search

router = APIRouter(prefix="/v1", tags=["search"])

FOUND_AT_MOST = 200


class Hit(Shape):
    kind: str = Field(description="customer, engine, ticket")
    id: int
    title: str
    detail: str
    matched: str = Field(description="Number, name, pinyin, initials, serial, vin, ticket, note …")


@router.get("/search", dependencies=[right("customers"), right("engines"), right("tickets")], summary="Find anything")
def find(
    request: Request,
    desktop: DesktopHere,
    db: Reading,
    user: TokenUser,
    q: Annotated[
        str, Query(max_length=200, description="A number, name, pinyin or initials, part of a serial, VIN, words.")
    ],
    before: Before = "",
    limit: Limit = 50,
) -> Listed[Hit]:
    """The likeliest first."""
    centre = desktop.settings.centre
    hits = search.find(db, q, user, FOUND_AT_MOST, centre.country, centre.area_code)
    return cut(request, Hit, hits, before, limit, lambda one: f"{one.kind}:{one.id}")
