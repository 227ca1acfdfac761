"""The rows of after-sales service: customers and their numbers, engines, stations, tickets."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callcenter.database import Base

IDS = range(1, 2**31)
"""What an id can be; a larger number is nobody's, and no database is asked for it."""


def sorted_text(length: int) -> String:
    """Text sorted by its bytes in every database, so that what begins so is found by the index."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class CustomerKind(StrEnum):
    OEM = "oem"  # 整车企业
    DEALER = "dealer"  # 经销商
    END_USER = "end_user"  # 最终用户
    STATION = "station"  # 特约维修站
    KEY_ACCOUNT = "key_account"  # 大客户
    FLEET = "fleet"  # 车队
    PERSON = "person"  # 司机、联系人: calls for somebody else's machine


class TicketKind(StrEnum):
    INQUIRY = "inquiry"  # 咨询
    COMPLAINT = "complaint"  # 投诉
    REPAIR = "repair"  # 报修
    FOLLOW_UP = "follow_up"  # 回访
    RESCUE = "rescue"  # 求援


class TicketState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"  # for the customer: the clock rests
    CLOSED = "closed"


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40), default="")  # its number in the ERP
    name: Mapped[str] = mapped_column(sorted_text(120), index=True)
    pinyin: Mapped[str] = mapped_column(String(400), default="", index=True)  # "li jian guo"
    sound: Mapped[str] = mapped_column(sorted_text(400), default="", index=True)  # the same in one: "lijianguo"
    initials: Mapped[str] = mapped_column(sorted_text(120), default="", index=True)  # "ljg"
    region: Mapped[str] = mapped_column(String(80), default="")  # 河南 郑州
    address: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(5), default="zh")
    note: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))

    phones: Mapped[list[Phone]] = relationship(
        back_populates="customer", cascade="all, delete-orphan", order_by="Phone.id"
    )
    engines: Mapped[list[Engine]] = relationship(
        back_populates="customer", order_by="Engine.id", foreign_keys="Engine.customer_id"
    )

    __table_args__ = (
        # of the merged only: one over all would be taken for "not merged", which is nearly everybody
        Index(
            "ix_customers_merged_into_id",
            "merged_into_id",
            sqlite_where=merged_into_id.is_not(None),
            postgresql_where=merged_into_id.is_not(None),
        ),
        # of those that have one: nearly nobody has, and one over all would be taken to find half the customers
        Index("ix_customers_code", "code", sqlite_where=text("code != ''"), postgresql_where=text("code != ''")),
    )


class Phone(Base):
    """A number of a customer; several customers may have the same. Known: from the record. Maybe: read in a text."""

    __tablename__ = "phones"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    number: Mapped[str] = mapped_column(String(40), index=True)  # E.164
    label: Mapped[str] = mapped_column(String(20), default="")
    level: Mapped[str] = mapped_column(String(6), default="known")  # known, maybe

    customer: Mapped[Customer] = relationship(back_populates="phones")
    __table_args__ = (UniqueConstraint("customer_id", "number"),)


class Engine(Base):
    __tablename__ = "engines"

    id: Mapped[int] = mapped_column(primary_key=True)
    serial: Mapped[str] = mapped_column(String(40), unique=True)  # 机号
    serial_end: Mapped[str] = mapped_column(String(8), index=True)  # its last six, as people say it
    model: Mapped[str] = mapped_column(String(40))
    plant: Mapped[str] = mapped_column(String(40), default="")  # where it was built
    vehicle: Mapped[str] = mapped_column(String(120), default="")  # 装载机 龙工 LG855
    vin: Mapped[str] = mapped_column(String(40), default="", index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)  # owner
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    built_on: Mapped[date | None] = mapped_column(Date)
    sold_on: Mapped[date | None] = mapped_column(Date)
    warranty_until: Mapped[date | None] = mapped_column(Date)
    warranty_hours: Mapped[int | None]
    hours: Mapped[int | None]  # the latest reading, with what earlier meters had counted
    hours_on: Mapped[date | None] = mapped_column(Date)
    km: Mapped[int | None]
    km_on: Mapped[date | None] = mapped_column(Date)
    run_in_on: Mapped[date | None] = mapped_column(Date)  # 走保, the first service
    run_in_hours: Mapped[int | None]
    run_in_station_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)

    customer: Mapped[Customer | None] = relationship(back_populates="engines", foreign_keys=[customer_id])


class Station(Base):
    """A service station: a customer of kind station, with its area and skills."""

    __tablename__ = "stations"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    area: Mapped[str] = mapped_column(String(200))
    skills: Mapped[list[str]] = mapped_column(JSON, default=list)
    hours: Mapped[str] = mapped_column(String(80), default="")  # in words
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    opens: Mapped[str] = mapped_column(String(80), default="")  # 08:00-18:00 of every day; empty: around the clock
    crews: Mapped[int] = mapped_column(default=2)  # how many can be out at once
    active: Mapped[bool] = mapped_column(default=True)

    customer: Mapped[Customer] = relationship()


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sorted_text(20), unique=True)  # R261122-0003
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str] = mapped_column(String(10), default="open")
    stage: Mapped[str] = mapped_column(String(30), default="new")  # of its kind's form
    stage_at: Mapped[datetime | None]
    level: Mapped[int] = mapped_column(default=0)  # of the escalation ladder
    urgent: Mapped[bool] = mapped_column(default=False)
    subject: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str] = mapped_column(Text, default="")
    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what this kind asks beside the rest
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    engine_id: Mapped[int | None] = mapped_column(ForeignKey("engines.id"), index=True)
    call_id: Mapped[str | None] = mapped_column(String(150), index=True)
    station_id: Mapped[int | None] = mapped_column(ForeignKey("stations.id"))
    opened_by: Mapped[str] = mapped_column(String(40))  # login
    owner: Mapped[str] = mapped_column(String(40), default="")  # login
    opened_at: Mapped[datetime] = mapped_column(index=True)
    # What the clock says, told anew from the entries at every step:
    due_at: Mapped[datetime | None]  # None: nothing promised, or the clock rests
    response_due_at: Mapped[datetime | None]
    responded_at: Mapped[datetime | None]
    solved_at: Mapped[datetime | None]
    left_s: Mapped[int | None]  # of a resting clock: working time still there
    closed_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    customer: Mapped[Customer | None] = relationship()
    engine: Mapped[Engine | None] = relationship()
    entries: Mapped[list[TicketEntry]] = relationship(order_by="TicketEntry.id", cascade="all, delete-orphan")

    __table_args__ = (Index("ix_tickets_state_due_at", "state", "due_at"),)


class TicketEntry(Base):
    """What was done to a ticket, by whom and when; never changed."""

    __tablename__ = "ticket_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(String(20))  # opened, changed, moved, noted, closed, reopened …
    text: Mapped[str] = mapped_column(Text, default="")
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # field: [before, after]
    version: Mapped[int] = mapped_column(default=1)  # the ticket's, from here on


class TicketSeries(Base):
    """The last number given in a series (R261122); counted up by one statement, so no two tickets share a number."""

    __tablename__ = "ticket_series"

    series: Mapped[str] = mapped_column(String(12), primary_key=True)
    last: Mapped[int]
