"""Which version of a record a program looked at: told as an ETag, and asked for when it changes something."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from callcenter.errors import BadInput

IfMatch = Annotated[
    str,
    Header(alias="If-Match", max_length=40, description="The ETag you looked at; 409 if it has changed since."),
]


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
