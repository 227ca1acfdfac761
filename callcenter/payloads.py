"""Events to and from text, for the ledger and for Redis."""

from __future__ import annotations

import dataclasses
from typing import Any

import callcenter.facts
import callcenter.nudges  # noqa: F401
from callcenter.database import from_us, to_us
from callcenter.events import Event, Fact


def _named(base: type[Event]) -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for kind in base.__subclasses__():
        found[kind.__name__] = kind
        found |= _named(kind)
    return found


EVENTS: dict[str, type[Event]] = _named(Event)
FACTS: dict[str, type[Event]] = _named(Fact)
_TIMES = {
    name: {f.name for f in dataclasses.fields(kind) if "datetime" in str(f.type)} for name, kind in EVENTS.items()
}


def as_payload(event: Event, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The event's fields as JSON can hold them; times as microseconds since 1970 UTC."""
    times = _TIMES[type(event).__name__]
    return {
        name: to_us(value) if name in times and value is not None else value
        for name, value in event.__dict__.items()
        if name not in without
    }


def from_payload(kind: str, payload: dict[str, Any]) -> Event:
    """The event again; KeyError for a type nobody knows."""
    times = _TIMES[kind]
    return EVENTS[kind](
        **{name: from_us(value) if name in times and value is not None else value for name, value in payload.items()}
    )
