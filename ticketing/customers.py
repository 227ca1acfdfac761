"""Customers of all five kinds and the numbers they call from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from callcenter import phone
from callcenter.errors import BadInput, NotFound
from config.people import User, may
from ticketing import pinyin
from ticketing.rows import IDS, Customer, CustomerKind, Phone
from ticketing.text import clean, line

Level = Literal["known", "maybe"]

LANGUAGES = ("zh", "en")
_LENGTHS = {"name": 120, "region": 80, "address": 200, "language": 5, "note": 20_000}


class NameMissing(BadInput):
    """A customer needs a name."""


def create(
    db: Session,
    kind: str,
    name: str,
    now: datetime,
    *,
    phones: Iterable[str | tuple[str, str]] = (),
    region: str = "",
    address: str = "",
    language: str = "zh",
    note: str = "",
    country: str = "CN",
    area_code: str = "",
) -> Customer:
    """A new customer; each phone is a number as people write it, or (number, label)."""
    customer = Customer(kind=_kind(kind), created_at=now, changed_at=now)
    _put(customer, name=name, region=region, address=address, language=language, note=note)
    db.add(customer)
    db.flush()
    for given in phones:
        number, label = (given, "") if isinstance(given, str) else given
        add_phone(db, customer, number, now, label=label, country=country, area_code=area_code)
    return customer


def change(db: Session, customer: Customer, now: datetime, **changes: str) -> Customer:
    """Change name, kind, region, address, language or note."""
    if "kind" in changes:
        customer.kind = _kind(changes.pop("kind"))
    unknown = changes.keys() - _LENGTHS.keys()
    if unknown:
        raise BadInput("a customer has no %(unknown)s", unknown=", ".join(sorted(unknown)))
    _put(customer, **changes)
    customer.changed_at = now
    db.flush()
    return customer


def load_customer(db: Session, customer_id: int, user: User) -> Customer:
    """With phones and engines; NotFound where the user may not see it."""
    customer = None
    if customer_id in IDS and may(user.role, "customers"):
        whole = (selectinload(Customer.phones), selectinload(Customer.engines))
        customer = db.scalar(select(Customer).where(Customer.id == customer_id).options(*whole))
    if customer is None:
        raise NotFound("customer %(customer_id)s", customer_id=customer_id)
    return customer


def by_number(db: Session, number: str) -> list[tuple[Customer, Level]]:
    """Whose number this may be, the surest first; ``number`` as ``phone.normalise`` spells it.

    known: it stands in the record, and confirmed. maybe: it was read in a text, or the record has an extension behind
    it. Two known customers with one number are two answers: nobody is guessed.
    """
    stem = phone.main(number)
    if not stem:
        return []
    behind = (Phone.number >= f"{stem};") & (Phone.number < f"{stem}<")  # "<" comes after ";": stem;ext=…
    rows = db.execute(
        select(Customer, Phone)
        .join(Phone, Phone.customer_id == Customer.id)
        .where((Phone.number == stem) | (Phone.number == number) | behind)
        .order_by(Customer.id)
    )
    best: dict[int, tuple[Customer, Level]] = {}
    for customer, own in rows:
        level: Level = "known" if own.level == "known" and own.number in (stem, number) else "maybe"
        if customer.id not in best or level == "known":
            best[customer.id] = (customer, level)
    return sorted(best.values(), key=lambda found: (found[1] != "known", found[0].id))


def known(db: Session, numbers: Collection[str]) -> dict[str, set[int]]:
    """Of many numbers at once, the customers in whose record each stands; ``by_number`` says the rest."""
    rows = db.execute(select(Phone.number, Phone.customer_id).where(Phone.number.in_(numbers), Phone.level == "known"))
    found: dict[str, set[int]] = {}
    for number, customer_id in rows:
        found.setdefault(number, set()).add(customer_id)
    return found


def add_phone(
    db: Session,
    customer: Customer,
    number: str,
    now: datetime,
    *,
    label: str = "",
    level: Level = "known",
    country: str = "CN",
    area_code: str = "",
) -> Phone:
    """Add a number, or raise a maybe to known; BadInput where it is no number anybody could call."""
    spelt, label = phone.normalise(number, country, area_code), line(label)
    if len(label) > 20:
        raise BadInput("label: 20 characters at most")
    if not any(char.isdigit() for char in spelt) or spelt[:1].isalpha():
        raise BadInput("%(number)s is not a phone number", number=repr(number[:40]))
    own = db.scalar(select(Phone).where(Phone.customer_id == customer.id, Phone.number == spelt))
    if own is None:
        own = Phone(customer_id=customer.id, number=spelt, label=label, level=level)
        db.add(own)
    else:
        own.label = label or own.label
        own.level = "known" if "known" in (own.level, level) else "maybe"
    customer.changed_at = now
    db.flush()
    db.expire(customer, ["phones"])
    return own


def remove_phone(db: Session, customer: Customer, phone_id: int, now: datetime) -> None:
    own = db.scalar(select(Phone).where(Phone.id == phone_id, Phone.customer_id == customer.id))
    if own is None:
        raise NotFound("phone %(phone_id)s", phone_id=phone_id)
    db.delete(own)
    db.flush()
    customer.changed_at = now
    db.expire(customer, ["phones"])


def numbers_in(db: Session, customer: Customer, text: str, now: datetime, country: str = "CN") -> Sequence[Phone]:
    """Keep the numbers found in a note as maybe; what the record has already stays as it is."""
    found = [spelt for spelt in phone.several(text, country) if phone.is_number(spelt)]
    return [add_phone(db, customer, spelt, now, level="maybe", country=country) for spelt in found]


def confirm_phone(db: Session, phone_id: int) -> None:
    """A maybe that an agent has asked about is known from now on."""
    db.execute(update(Phone).where(Phone.id == phone_id).values(level="known"))


def _kind(kind: str) -> str:
    try:
        return CustomerKind(kind).value
    except ValueError:
        raise BadInput("no customer is of kind %(kind)s", kind=repr(kind[:20])) from None


def _put(customer: Customer, **texts: str) -> None:
    for name, text in texts.items():
        kept = clean(text) if name == "note" else line(text)
        if len(kept) > _LENGTHS[name]:
            raise BadInput("%(name)s: %(longest)s characters at most", name=name, longest=_LENGTHS[name])
        setattr(customer, name, kept)
    if not customer.name:
        raise NameMissing
    if customer.language not in LANGUAGES:
        raise BadInput("no customer is spoken to in %(language)s", language=repr(customer.language))
    if "name" in texts:
        customer.pinyin = pinyin.full(customer.name)[:400]
        customer.initials = pinyin.initials(customer.name)[:120]
