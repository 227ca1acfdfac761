"""Customers of all five kinds and the numbers they call from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload

from callcenter import phone
from callcenter.errors import BadInput, CallCenterError, NotFound
from config.people import User
from ticketing import duplicates, entries, findable, pinyin
from ticketing.kinds import MISSING, Fault
from ticketing.rows import IDS, Customer, CustomerKind, Phone
from ticketing.text import clean, line
from ticketing.unfit import RecordUnfit, overlong

Level = Literal["known", "maybe"]

LANGUAGES = ("zh", "en")
_DIALLED = re.compile(r"\+?\d[\d\-() ]{5,}\d(?:\s*(?:转|轉|分机|ext\.?|x)\s*\d{1,6})?", re.IGNORECASE)
"""What may be a phone number among other words."""
_LENGTHS = {"name": 120, "code": 40, "region": 80, "address": 200, "language": 5, "note": 20_000}


class CustomerMerged(CallCenterError):
    """This customer was merged into another; nothing was changed. Go on with the one that stands."""

    status = 409

    @property
    def faults(self) -> dict[str, Fault]:
        return {"": Fault(f"已并入“{self.detail}”", f"Merged into “{self.detail}”")}


class NameMissing(RecordUnfit):
    """A customer needs a name."""

    def __init__(self) -> None:
        super().__init__({"name": MISSING})


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
    code: str = "",
    country: str = "CN",
    area_code: str = "",
) -> Customer:
    """A new customer; each phone is a number as people write it, or (number, label)."""
    customer = Customer(kind=_kind(kind), created_at=now, changed_at=now)
    for column, text in _texts(
        name=name, region=region, address=address, language=language, note=note, code=code
    ).items():
        setattr(customer, column, text)
    _sound(customer)
    db.add(customer)
    db.flush()
    for given in phones:
        number, label = (given, "") if isinstance(given, str) else given
        _put_phone(db, customer, number, now, label, "known", country, area_code)
    findable.keep_customer(db, customer)
    duplicates.refresh(db, customer, now)
    return customer


def change(
    db: Session, customer: Customer, now: datetime, *, by: str = "", version: int | None = None, **changes: str
) -> Customer:
    """Change name, kind, code, region, address, language or note.

    RecordUnfit names every field at fault; StaleRecord if somebody else changed the same field since ``version``.
    """
    refuse_merged(db, customer)
    kind = changes.pop("kind", None)
    unknown = changes.keys() - _LENGTHS.keys()
    if unknown:
        raise BadInput("a customer has no %(unknown)s", unknown=", ".join(sorted(unknown)))
    values: dict[str, Any] = _texts(**changes)
    if kind is not None:
        values["kind"] = _kind(kind)
    if "name" in entries.change(db, customer, values, version=version, by=by, now=now):
        _sound(customer)
    db.flush()
    findable.keep_customer(db, customer)
    duplicates.refresh(db, customer, now)
    return customer


def load_customer(db: Session, customer_id: int, user: User) -> Customer:
    """With phones and engines; NotFound where the user may not see it."""
    customer = None
    if customer_id in IDS and user.may("customers"):
        whole = (selectinload(Customer.phones), selectinload(Customer.engines))
        customer = db.scalar(select(Customer).where(Customer.id == customer_id).options(*whole))
    if customer is None:
        raise NotFound("customer %(customer_id)s", customer_id=customer_id)
    return customer


def refuse_merged(db: Session, customer: Customer) -> None:
    """CustomerMerged where somebody has merged this record since it was looked at."""
    if db.scalar(select(Customer.merged_into_id).where(Customer.id == customer.id)) is not None:
        kept = standing(db, customer.id)
        raise CustomerMerged(kept.name if kept else "")


def standing(db: Session, customer_id: int) -> Customer | None:
    """The customer, or whom he was merged into."""
    customer = db.get(Customer, customer_id) if customer_id in IDS else None
    while customer is not None and customer.merged_into_id is not None:
        customer = db.get(Customer, customer.merged_into_id)
    return customer


def standing_id(db: Session, customer_id: int | None) -> int | None:
    """What a new row is to point to: a page that was opened before a merge still names the merged one."""
    found = standing(db, customer_id) if customer_id is not None else None
    return customer_id if found is None else found.id


def ids_of(db: Session, customer: Customer) -> list[int]:
    """His own, and those of records merged into his: what was written with them is his."""
    found, new = [customer.id], [customer.id]
    while new:
        new = list(db.scalars(_MERGED_INTO, {"new": new, "found": found}))
        found += new
    return found


def offered(db: Session, text: str, limit: int = 12) -> list[Customer]:
    """Those a few words or a number may mean, for a list to choose from: by number, name, pinyin or initials."""
    said = line(text[:80])
    if not said:
        return []
    ways: list[ColumnElement[bool]] = [begins(Customer.name, said)]
    spelt = phone.normalise(said)
    if phone.is_number(spelt):
        ways = [Customer.id.in_(select(Phone.customer_id).where(Phone.number == spelt))]
    elif re.fullmatch(r"[a-z' ]+", said.lower()):
        ways += [begins(Customer.initials, said.lower().replace(" ", ""))]
        ways += [begins(Customer.sound, said.lower().replace(" ", ""))]
    found: dict[int, Customer] = {}
    for way in ways:
        rows = select(Customer).where(way, Customer.merged_into_id.is_(None)).order_by(Customer.id).limit(limit)
        found |= {customer.id: customer for customer in db.scalars(rows)}
    return list(found.values())[:limit]


def of_code(code: str) -> ColumnElement[bool]:
    """Those of this number in the ERP, by the index of those that have one."""
    return (Customer.code == code) & (Customer.code != literal_column("''"))


def begins(column: InstrumentedAttribute[str], said: str) -> ColumnElement[bool]:
    """By the index of a column that is sorted by its bytes: from the words on, to the last that begins so."""
    return (column >= said) & (column < said + "\U0010ffff")


# Built once: they are asked while the phone rings.
_MERGED_INTO = select(Customer.id).where(
    Customer.merged_into_id.in_(bindparam("new", expanding=True)),
    Customer.id.not_in(bindparam("found", expanding=True)),
)
_WITH_NUMBER = (
    select(Customer, Phone.level, Phone.number)
    .join(Phone, Phone.customer_id == Customer.id)
    .where(
        (Phone.number == bindparam("stem"))
        | (Phone.number == bindparam("number"))
        | ((Phone.number >= bindparam("first")) & (Phone.number < bindparam("behind"))),
        Customer.merged_into_id.is_(None),
    )
    .order_by(Customer.id)
)


def by_number(db: Session, number: str) -> list[tuple[Customer, Level]]:
    """Whose number this may be, the surest first; ``number`` as ``phone.normalise`` spells it.

    known: it stands in the record, and confirmed. maybe: it was read in a text, or the record has an extension behind
    it. Two known customers with one number are two answers: nobody is guessed.
    """
    stem = phone.main(number)
    if not stem:
        return []
    spelled = {"stem": stem, "number": number, "first": f"{stem};", "behind": f"{stem}<"}  # stem;ext=…
    best: dict[int, tuple[Customer, Level]] = {}
    for customer, standing, own in db.execute(_WITH_NUMBER, spelled):
        level: Level = "known" if standing == "known" and own in (stem, number) else "maybe"
        if customer.id not in best or level == "known":
            best[customer.id] = (customer, level)
    return sorted(best.values(), key=lambda found: (found[1] != "known", found[0].id))


def known(db: Session, numbers: Collection[str]) -> dict[str, set[int]]:
    """Of many numbers at once, the customers in whose record each stands; ``by_number`` says the rest."""
    rows = (
        select(Phone.number, Phone.customer_id)
        .join(Customer, Customer.id == Phone.customer_id)
        .where(Phone.number.in_(numbers), Phone.level == "known", Customer.merged_into_id.is_(None))
    )
    found: dict[str, set[int]] = {}
    for number, customer_id in db.execute(rows):
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
    by: str | None = None,
    country: str = "CN",
    area_code: str = "",
) -> Phone:
    """Add a number, or raise a maybe to known; BadInput where it is no number anybody could call."""
    refuse_merged(db, customer)
    own, was = _put_phone(db, customer, number, now, label, level, country, area_code)
    findable.keep_customer(db, customer)
    if was is None:
        duplicates.refresh(db, customer, now)
    if by is not None and was != own.level:
        told = {"number": (None, own.number), "level": (was, own.level)}
        entries.tell(db, "number", by=by, at=now, customer_id=customer.id, changes=told)
    return own


def _put_phone(
    db: Session,
    customer: Customer,
    number: str,
    now: datetime,
    label: str,
    level: Level,
    country: str,
    area_code: str,
) -> tuple[Phone, str | None]:
    """The number, and how sure it was before."""
    spelt, label = phone.normalise(number, country, area_code), line(label)
    if len(label) > 20:
        raise BadInput("label: 20 characters at most")
    if not any(char.isdigit() for char in spelt) or spelt[:1].isalpha():
        raise BadInput("%(number)s is not a phone number", number=repr(number[:40]))
    own = db.scalar(select(Phone).where(Phone.customer_id == customer.id, Phone.number == spelt))
    was = own.level if own is not None else None
    if own is None:
        own = Phone(customer_id=customer.id, number=spelt, label=label, level=level)
        db.add(own)
    else:
        own.label = label or own.label
        own.level = "known" if "known" in (own.level, level) else "maybe"
    customer.changed_at = now
    db.flush()
    db.expire(customer, ["phones"])
    return own, was


def remove_phone(db: Session, customer: Customer, phone_id: int, now: datetime, *, by: str | None = None) -> None:
    refuse_merged(db, customer)
    own = db.scalar(select(Phone).where(Phone.id == phone_id, Phone.customer_id == customer.id))
    if own is None:
        raise NotFound("phone %(phone_id)s", phone_id=phone_id)
    db.delete(own)
    db.flush()
    customer.changed_at = now
    if by is not None:
        told = {"number": (own.number, None), "level": (own.level, None)}
        entries.tell(db, "number", by=by, at=now, customer_id=customer.id, changes=told)
    db.expire(customer, ["phones"])
    findable.keep_customer(db, customer)
    duplicates.refresh(db, customer, now)


def numbers_in(db: Session, customer: Customer, text: str, now: datetime, country: str = "CN") -> Sequence[Phone]:
    """Keep the numbers found in a note as maybe; what the record has already stays as it is."""
    said = [one for part in _DIALLED.findall(text) for one in phone.several(part, country)]
    found = [spelt for spelt in dict.fromkeys(said) if phone.is_number(spelt)]
    return [add_phone(db, customer, spelt, now, level="maybe", country=country) for spelt in found]


def _kind(kind: str) -> str:
    try:
        return CustomerKind(kind).value
    except ValueError:
        raise BadInput("no customer is of kind %(kind)s", kind=repr(kind[:20])) from None


def _texts(**texts: str) -> dict[str, Any]:
    """Fit to keep; RecordUnfit names what is too long."""
    kept: dict[str, Any] = {name: clean(text) if name == "note" else line(text) for name, text in texts.items()}
    if kept.get("name") == "":
        raise NameMissing
    faults = overlong(kept, _LENGTHS)
    if faults:
        raise RecordUnfit(faults)
    if kept.get("language", LANGUAGES[0]) not in LANGUAGES:
        raise BadInput("no customer is spoken to in %(language)s", language=repr(kept["language"]))
    return kept


def _sound(customer: Customer) -> None:
    customer.pinyin = pinyin.full(customer.name)[:400]
    customer.sound = customer.pinyin.replace(" ", "")
    customer.initials = pinyin.initials(customer.name)[:120]
