"""Lists in pages: each carries the address of the next, whoever adds rows meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request
from pydantic import BaseModel, Field

from agent_desktop.api.shapes import Shape
from callcenter.errors import BadInput

Limit = Annotated[int, Query(ge=1, le=200, description="How many at once.")]
Before = Annotated[str, Query(max_length=180, description="Where the page before ended; `next` says it.")]

T = TypeVar("T", bound=Shape)


class Listed(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = Field(None, description="The address of the next page; null on the last.")


def page(
    request: Request,
    shape: type[T],
    rows: Sequence[Any],
    limit: int,
    cursor: Callable[[Any], object],
    *,
    more: bool = False,
) -> Listed[T]:
    """``limit`` of the rows; ``cursor`` says of the last where the next page begins.

    There is a next one where one row more was found than is shown, or ``more`` says so.
    """
    shown = rows[:limit]
    return Listed[shape](  # type: ignore[valid-type]
        items=[shape.model_validate(row) for row in shown],
        next=_next(request, str(cursor(shown[-1]))) if shown and (more or len(rows) > limit) else None,
    )


def cut(
    request: Request, shape: type[T], rows: Sequence[Any], before: str, limit: int, cursor: Callable[[Any], object]
) -> Listed[T]:
    """A page of rows that were read whole, in an order of their own."""
    keys = [str(cursor(row)) for row in rows]
    if before and before not in keys:
        raise BadInput("before")
    start = keys.index(before) + 1 if before else 0
    return page(request, shape, rows[start : start + limit + 1], limit, cursor)


def _next(request: Request, before: str) -> str:
    asked = request.url.include_query_params(before=before)
    return f"{asked.path}?{asked.query}"


def number(before: str) -> int | None:
    """The cursor of lists that go down by id."""
    if not before:
        return None
    if not (before.isascii() and before.isdigit()) or len(before) > 10:
        raise BadInput("before")
    return int(before)


def behind(ids: Sequence[int], before: str, limit: int) -> tuple[list[int], bool]:
    """The next ids of an order that is no row's own, such as the likeliest first; and whether more follow."""
    after = number(before)
    start = ids.index(after) + 1 if after in ids else 0
    if after is not None and after not in ids:
        raise BadInput("before")
    return list(ids[start : start + limit]), len(ids) > start + limit
