"""One row of a sheet of customers or engines, and what it does: a customer made, a field changed, an owner followed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import phone
from config.settings import Centre
from ticketing import customers, engines, owners, readings
from ticketing.kinds import MISSING, Fault
from ticketing.record_rows import ImportStep, Ownership
from ticketing.rows import Customer, CustomerKind, Engine, Phone
from ticketing.text import line
from ticketing.unfit import RecordUnfit

_KINDS_ZH = {
    "整车企业": "oem",
    "主机厂": "oem",
    "经销商": "dealer",
    "最终用户": "end_user",
    "用户": "end_user",
    "特约维修站": "station",
    "服务站": "station",
    "大客户": "key_account",
    "车队": "fleet",
    "司机": "person",
    "联系人": "person",
}


@dataclass
class Run:
    """What taking over the rows of one file needs at hand."""

    db: Session
    centre: Centre
    by: str
    now: datetime
    steps: list[ImportStep] = field(default_factory=list)

    @property
    def today(self) -> date:
        return self.centre.day(self.now)

    def did(self, what: str, changes: Mapping[str, Any] | None = None, **ids: int) -> None:
        told = {
            name: [value.isoformat() if isinstance(value, date) else value for value in pair]
            for name, pair in (changes or {}).items()
        }
        self.steps.append(ImportStep(what=what, changes=told, **ids))


# --- a row of customers ------------------------------------------------------------------------------------------


def take_customer(run: Run, said: Mapping[str, str]) -> str:
    if not line(said.get("name", "")):
        raise RecordUnfit({"name": MISSING})
    given_numbers = numbers(run, said.get("phones", ""))
    given: dict[str, Any] = {
        name: said[name] for name in ("code", "name", "region", "address", "note") if said.get(name)
    }
    kind, language = _kind(said.get("kind", "")), _language(said.get("language", ""))
    found = meant(run.db, said.get("code", ""), given["name"], given_numbers, "name")
    what = "same"
    if found is None:
        found = customers.create(
            run.db,
            kind or CustomerKind.END_USER.value,
            given.pop("name"),
            run.now,
            language=language or run.centre.language,
            **given,
        )
        run.did("created", customer_id=found.id)
        what = "created"
    else:
        wanted: dict[str, Any] = given | ({"kind": kind} if kind else {}) | ({"language": language} if language else {})
        before = {name: getattr(found, name) for name in wanted}
        customers.change(run.db, found, run.now, by=run.by, **wanted)
        changed = {
            name: (before[name], getattr(found, name)) for name in wanted if before[name] != getattr(found, name)
        }
        if changed:
            run.did("changed", changed, customer_id=found.id)
            what = "changed"
    own = {one.number: one.level for one in found.phones}
    for number in given_numbers:
        if own.get(number) != "known":
            added = customers.add_phone(run.db, found, number, run.now, by=run.by, country=run.centre.country)
            run.did("number", {"level": (own.get(number), "known")}, customer_id=found.id, ref_id=added.id)
            what = what if what == "created" else "changed"
    return what


def numbers(run: Run, text: str) -> list[str]:
    parts = text.split()
    if all(sum(char.isdigit() for char in part) >= 7 for part in parts):  # one behind the other, with gaps between
        text = "、".join(parts)
    spelt = []
    for part in re.split(r"[/、,，;；|\n]|或|和", text):
        if part.strip():
            number = phone.normalise(part, run.centre.country, run.centre.area_code)
            if not phone.is_number(number):
                raise RecordUnfit({"phones": Fault(f"“{part[:40]}”不是电话号码", f"“{part[:40]}” is no phone number")})
            spelt.append(number)
    return list(dict.fromkeys(spelt))


def _kind(text: str) -> str:
    kind = _KINDS_ZH.get(text, text.lower().replace(" ", "_"))
    if kind and kind not in set(CustomerKind):
        raise RecordUnfit({"kind": Fault(f"没有“{text[:20]}”这种客户类型", f"There is no kind “{text[:20]}”")})
    return kind


def _language(text: str) -> str:
    spelt = {"中文": "zh", "chinese": "zh", "英文": "en", "英语": "en", "english": "en"}.get(text.lower(), text.lower())
    if spelt and spelt not in customers.LANGUAGES:
        raise RecordUnfit({"language": Fault("语言应为 zh 或 en", "zh or en")})
    return spelt


def meant(db: Session, code: str, name: str, phones: Sequence[str], field_name: str) -> Customer | None:
    """The customer of this number; else of this name with one of these phones; else the only one of this name."""
    standing = select(Customer).where(Customer.merged_into_id.is_(None))
    if code:
        of_code = db.scalars(standing.where(customers.of_code(line(code))).limit(2)).all()
        if len(of_code) > 1:
            raise RecordUnfit({"code": Fault(f"编号 {code} 有多位客户", f"Several customers have the number {code}")})
        if of_code:
            return of_code[0]
    of_name = list(db.scalars(standing.where(Customer.name == line(name)).limit(20)))
    if code:  # another's number is no reason to take him for this one
        of_name = [one for one in of_name if not one.code]
    if phones and of_name:
        rows = select(Phone.customer_id).where(
            Phone.customer_id.in_([one.id for one in of_name]), Phone.number.in_(phones)
        )
        whose = set(db.scalars(rows))
        with_phone = [one for one in of_name if one.id in whose]
        without = [one for one in of_name if not one.phones]
        of_name = with_phone or without
    if len(of_name) > 1:
        raise RecordUnfit(
            {
                field_name: Fault(
                    f"有 {len(of_name)} 位客户都叫“{name[:40]}”，请补充编号或电话",
                    f"{len(of_name)} customers are called “{name[:40]}”: add a number or a phone",
                )
            }
        )
    return of_name[0] if of_name else None


# --- a row of engines --------------------------------------------------------------------------------------------


def take_engine(run: Run, said: Mapping[str, str]) -> str:
    faults: dict[str, Fault] = {}
    days = {
        name: whole_day(said.get(name, ""), name, faults)
        for name in ("built_on", "sold_on", "owner_since", "read_on", "run_in_on")
    }
    counts = {name: _count(said.get(name, ""), name, faults) for name in ("hours", "km", "run_in_hours")}
    serial = engines.spell(said.get("serial", ""))
    if len(serial) < 4:
        faults["serial"] = Fault("机号为 4 到 40 位字母和数字", "4 to 40 letters and digits")
    if faults:
        raise RecordUnfit(faults)
    wanted: dict[str, Any] = {name: said[name] for name in ("model", "plant", "vehicle", "vin") if said.get(name)}
    wanted |= {name: days[name] for name in ("built_on", "sold_on", "run_in_on") if days[name] is not None}
    if counts["run_in_hours"] is not None:
        wanted["run_in_hours"] = counts["run_in_hours"]
    owner = _owner(run, said)
    engine = run.db.scalar(select(Engine).where(Engine.serial == serial))
    what = "same"
    if engine is None:
        if not wanted.get("model"):
            raise RecordUnfit({"model": MISSING})
        engine = engines.create(
            run.db, serial, wanted["model"], customer_id=owner.id if owner else None, sold_on=days["sold_on"]
        )
        run.did("created", engine_id=engine.id)
        what = "created"
    elif owner is not None and engine.customer_id != owner.id:
        _hand_over(run, engine, owner, days["owner_since"])
        what = "changed"
    before = {name: getattr(engine, name) for name in wanted}
    engines.change(run.db, engine, run.now, by=run.by, **wanted)
    changed = _differing(engine, before)
    if changed and what != "created":
        run.did("changed", changed, engine_id=engine.id)
        what = "changed"
    if counts["hours"] is not None or counts["km"] is not None:
        on = days["read_on"] or (engine.hours_on if engine.hours == counts["hours"] else None) or run.today
        past = {one.id for one in readings.history(run.db, engine.id)}
        read = readings.add(
            run.db,
            engine,
            on,
            hours=counts["hours"],
            km=counts["km"],
            by=run.by,
            now=run.now,
            today=run.today,
            source="import",
        )
        if read.id not in past:
            run.did("reading", engine_id=engine.id, ref_id=read.id)
            what = what if what == "created" else "changed"
    return what


def _owner(run: Run, said: Mapping[str, str]) -> Customer | None:
    name, code = line(said.get("owner", "")), said.get("owner_code", "")
    phones = numbers(run, said["owner_phone"]) if said.get("owner_phone") else []
    if not name and not code:
        return None
    found = meant(run.db, code, name, phones, "owner")
    if found is None:
        if not name:
            raise RecordUnfit({"owner_code": Fault(f"没有编号为 {code} 的客户", f"No customer has the number {code}")})
        found = customers.create(
            run.db, CustomerKind.END_USER.value, name, run.now, phones=phones, code=code, country=run.centre.country
        )
        run.did("created", customer_id=found.id)
    return found


def _hand_over(run: Run, engine: Engine, owner: Customer, since: date | None) -> None:
    before = engine.customer_id
    if since is None:
        if before is not None:
            present = run.db.get(Customer, before)
            name = present.name if present else ""
            raise RecordUnfit(
                {
                    "owner": Fault(
                        f"在册机主为“{name}”；若已过户请填写过户日期",
                        f"“{name}” is the owner on file; if it was sold on, say when (Owner since)",
                    )
                }
            )
        since = engine.sold_on or run.today
    owners.hand_over(run.db, engine, owner.id, since, by=run.by, now=run.now, today=run.today)
    newest = select(Ownership.id).where(Ownership.engine_id == engine.id).order_by(Ownership.id.desc()).limit(1)
    run.did("owner", {"customer_id": (before, owner.id)}, engine_id=engine.id, ref_id=run.db.scalar(newest) or 0)


def whole_day(text: str, name: str, faults: dict[str, Fault]) -> date | None:
    """2026-11-22, 2026/11/22, 2026.11.22, 20261122 and 2026年11月22日."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})\D?(?:\s*0?0:00(?::00)?)?", text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        pass
    faults[name] = Fault(f"“{text[:20]}”不是日期", f"“{text[:20]}” is no day")
    return None


def _count(text: str, name: str, faults: dict[str, Fault]) -> int | None:
    spelt = re.sub(r"(?i)[,，\s]|h$|km$|小时$|公里$|\.0+$", "", text)
    if not spelt:
        return None
    if spelt.isascii() and spelt.isdigit() and len(spelt) <= 9:
        return int(spelt)
    faults[name] = Fault(f"“{text[:20]}”不是整数", f"“{text[:20]}” is no whole number")
    return None


def _differing(row: Customer | Engine, before: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (was, getattr(row, name)) for name, was in before.items() if was != getattr(row, name)}
