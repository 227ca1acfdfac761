"""What goes over the API, as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent_desktop.desktop import LARGEST_ID
from ticketing.rows import CustomerKind

Reference = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Sent(BaseModel):
    """What a program sends; a field we do not know is a mistake, not ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Fault(BaseModel):
    """What every refusal says; some faults say more, such as the fields at fault or what a colleague changed."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="The machine word of the fault.")
    message: str = Field(description="What happened, for people.")
    detail: str


class Call(Shape):
    call_id: str
    switch: str
    direction: str
    caller_number: str
    caller_name: str
    did: str
    state: str
    outcome: str
    queue: str | None
    agent: str | None
    wished_kind: str
    wished_serial: str
    customer_id: int | None
    started_at: datetime
    joined_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    wait_ms: int
    talk_ms: int
    hold_ms: int
    holds: int
    transfers: int
    recording: str


class Entry(Shape):
    at: datetime
    by: str
    what: str
    text: str
    changes: dict[str, Any]


class Ticket(Shape):
    id: int
    number: str
    kind: str
    state: str
    stage: str
    urgent: bool
    subject: str
    notes: str
    fields: dict[str, Any]
    customer_id: int | None
    engine_id: int | None
    call_id: str | None
    station_id: int | None
    opened_by: str
    owner: str
    opened_at: datetime
    response_due_at: datetime | None
    responded_at: datetime | None
    due_at: datetime | None
    solved_at: datetime | None
    closed_at: datetime | None
    changed_at: datetime
    version: int


class WholeTicket(Ticket):
    entries: list[Entry]


class NewTicket(Sent):
    kind: str
    subject: str = Field(max_length=200)
    customer_id: Reference | None = None
    engine_id: Reference | None = None
    call_id: str | None = Field(None, max_length=150)
    station_id: Reference | None = None
    fields: dict[str, Any] = {}
    notes: str = Field("", max_length=20_000)
    urgent: bool | None = None
    owner: str = Field("", max_length=40)
    due_at: datetime | None = None


class ChangedTicket(Sent):
    version: int | None = Field(
        None,
        ge=0,
        le=LARGEST_ID,
        description="The version that was looked at, unless If-Match says it; 409 if somebody has changed the ticket "
        "since.",
    )
    subject: str | None = Field(None, max_length=200)
    state: str | None = None
    stage: str | None = Field(None, max_length=30)
    urgent: bool | None = None
    owner: str | None = Field(None, max_length=40)
    due_at: datetime | None = None
    customer_id: Reference | None = None
    engine_id: Reference | None = None
    station_id: Reference | None = None
    call_id: str | None = Field(None, max_length=150)
    fields: dict[str, Any] | None = None


class NewStage(Sent):
    stage: str = Field(min_length=1, max_length=30)
    text: str = Field("", max_length=20_000)


class Words(Sent):
    text: str = Field("", max_length=20_000)


class Phone(Shape):
    id: int
    number: str
    label: str
    level: str


class NewPhone(Sent):
    number: str = Field(min_length=1, max_length=60)
    label: str = Field("", max_length=20)
    level: Literal["known", "maybe"] = "known"


class Customer(Shape):
    id: int
    kind: str
    name: str
    region: str
    address: str
    language: str
    note: str
    phones: list[Phone]
    created_at: datetime
    changed_at: datetime


class NewCustomer(Sent):
    kind: CustomerKind
    name: str = Field(min_length=1, max_length=120)
    phones: list[str] = Field(default=[], max_length=20)
    region: str = Field("", max_length=80)
    address: str = Field("", max_length=200)
    language: Literal["zh", "en"] = "zh"
    note: str = Field("", max_length=20_000)


class ChangedCustomer(Sent):
    kind: str | None = None
    name: str | None = Field(None, max_length=120)
    region: str | None = Field(None, max_length=80)
    address: str | None = Field(None, max_length=200)
    language: str | None = Field(None, max_length=5)
    note: str | None = Field(None, max_length=20_000)


class Warranty(Shape):
    state: str
    until: date | None
    hours_limit: int | None
    hours: int | None
    clause: str


class Engine(Shape):
    id: int
    serial: str
    model: str
    vehicle: str
    vin: str
    customer_id: int | None
    dealer_id: int | None
    built_on: date | None
    sold_on: date | None
    hours: int | None
    hours_on: date | None


class WholeEngine(Engine):
    warranty: Warranty


class Agent(Shape):
    extension: str
    name: str
    status: str
    status_reason: str
    status_since: datetime | None
    state: str
    state_since: datetime | None
    call_id: str | None
    queue: str | None
    reachable: bool
