"""Which version of a record a program looked at: told as an ETag, and asked for when it changes something."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response

from callcenter.database import to_us
from callcenter.errors import BadInput, CallCenterError

IfMatch = Annotated[
    str,
    Header(alias="If-Match", max_length=40, description="The ETag you looked at; 409 if it has changed since."),
]


class Changed(CallCenterError):
    """Somebody changed this record after you looked at it; yours was not saved over it."""

    status = 409

    def __init__(self, current: BaseModel, version: int) -> None:
        self.current: dict[str, Any] = current.model_dump(mode="json")
        self.version = version
        super().__init__()

    def as_json(self) -> dict[str, object]:
        return {"version": self.version, "current": self.current}


def of_time(changed_at: datetime) -> int:
    """The version of a record that counts none."""
    return to_us(changed_at)


def tag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"{version}"'


def looked_at(if_match: str) -> int | None:
    """The version named; None where the program named none, or any."""
    text = if_match.strip().removeprefix("W/").strip('"')
    if text in ("", "*"):
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadInput("If-Match")
    return int(text)
