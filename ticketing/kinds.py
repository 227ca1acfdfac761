"""The five kinds of ticket as data: what each asks, and how soon it is due. Pages draw their forms from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from callcenter.errors import BadInput
from ticketing.rows import TicketKind
from ticketing.text import clean


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: str
    zh: str
    en: str

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Field:
    """One question of a form; ``shape`` is line, text, choice, date, number or tick."""

    name: str
    zh: str
    en: str
    shape: str = "line"
    required: bool = False
    choices: tuple[Choice, ...] = ()
    longest: int = 200

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Form:
    """A kind of ticket."""

    kind: TicketKind
    letter: str  # its numbers begin with it
    zh: str
    en: str
    due: timedelta  # promised from opening
    urgent: bool = False
    needs_customer: bool = False
    needs_engine: bool = False  # or its serial number as the caller said it, in field "serial"
    fields: tuple[Field, ...] = ()

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


_SERIAL = Field(name="serial", zh="机号（报的）", en="Serial number as said")
_PLACE = Field(name="place", zh="机器位置", en="Where the machine is", required=True)
_CONTACT = Field(name="contact", zh="现场联系电话", en="Phone on site")
_HOURS = Field(name="hours", zh="小时表读数", en="Hour meter", shape="number")
_FAULT = Field(
    name="fault",
    zh="故障现象",
    en="Fault",
    shape="choice",
    required=True,
    choices=(
        Choice(value="hard_start", zh="启动困难", en="Hard to start"),
        Choice(value="no_start", zh="无法启动", en="Does not start"),
        Choice(value="black_smoke", zh="冒黑烟", en="Black smoke"),
        Choice(value="blue_smoke", zh="冒蓝烟", en="Blue smoke"),
        Choice(value="white_smoke", zh="冒白烟", en="White smoke"),
        Choice(value="coolant_hot", zh="水温高", en="Coolant too hot"),
        Choice(value="oil_pressure", zh="机油压力低", en="Low oil pressure"),
        Choice(value="oil_use", zh="烧机油", en="Burns oil"),
        Choice(value="leak_oil", zh="漏油", en="Oil leak"),
        Choice(value="leak_water", zh="漏水", en="Coolant leak"),
        Choice(value="weak", zh="动力不足", en="Lack of power"),
        Choice(value="noise", zh="异响", en="Abnormal noise"),
        Choice(value="stalls", zh="自动熄火", en="Stalls"),
        Choice(value="turbo", zh="增压器故障", en="Turbocharger"),
        Choice(value="electric", zh="电控故障", en="Control unit"),
        Choice(value="other", zh="其他", en="Other"),
    ),
)

FORMS: dict[TicketKind, Form] = {
    form.kind: form
    for form in (
        Form(
            kind=TicketKind.INQUIRY,
            letter="Q",
            zh="咨询",
            en="Inquiry",
            due=timedelta(hours=24),
            fields=(
                Field(
                    name="topic",
                    zh="咨询内容",
                    en="Topic",
                    shape="choice",
                    required=True,
                    choices=(
                        Choice(value="parts", zh="配件", en="Parts"),
                        Choice(value="station", zh="服务网点", en="Service stations"),
                        Choice(value="warranty", zh="三包政策", en="Warranty"),
                        Choice(value="use", zh="使用保养", en="Use and care"),
                        Choice(value="price", zh="价格", en="Prices"),
                        Choice(value="other", zh="其他", en="Other"),
                    ),
                ),
            ),
        ),
        Form(
            kind=TicketKind.COMPLAINT,
            letter="C",
            zh="投诉",
            en="Complaint",
            due=timedelta(hours=24),
            needs_customer=True,
            fields=(
                Field(
                    name="about",
                    zh="投诉对象",
                    en="About",
                    shape="choice",
                    required=True,
                    choices=(
                        Choice(value="quality", zh="产品质量", en="Product quality"),
                        Choice(value="station", zh="服务站", en="Service station"),
                        Choice(value="parts", zh="配件供应", en="Parts supply"),
                        Choice(value="agent", zh="客服人员", en="Call centre"),
                        Choice(value="charge", zh="服务收费", en="Charges"),
                        Choice(value="other", zh="其他", en="Other"),
                    ),
                ),
                Field(name="wish", zh="客户诉求", en="What the customer wants", shape="text", longest=1000),
            ),
        ),
        Form(
            kind=TicketKind.REPAIR,
            letter="R",
            zh="报修",
            en="Repair",
            due=timedelta(hours=24),
            needs_customer=True,
            needs_engine=True,
            fields=(_FAULT, _PLACE, _CONTACT, _SERIAL, _HOURS),
        ),
        Form(
            kind=TicketKind.FOLLOW_UP,
            letter="F",
            zh="回访",
            en="Follow-up",
            due=timedelta(hours=72),
            needs_customer=True,
            fields=(
                Field(
                    name="satisfied",
                    zh="满意度",
                    en="Satisfaction",
                    shape="choice",
                    choices=(
                        Choice(value="5", zh="非常满意", en="Very satisfied"),
                        Choice(value="4", zh="满意", en="Satisfied"),
                        Choice(value="3", zh="一般", en="Neutral"),
                        Choice(value="2", zh="不满意", en="Dissatisfied"),
                        Choice(value="1", zh="非常不满意", en="Very dissatisfied"),
                        Choice(value="0", zh="未接通", en="Not reached"),
                    ),
                ),
                Field(name="about", zh="回访事由", en="Reason", required=True),
            ),
        ),
        Form(
            kind=TicketKind.RESCUE,
            letter="S",
            zh="求援",
            en="Rescue",
            due=timedelta(minutes=30),
            urgent=True,
            fields=(
                _PLACE,
                Field(name="contact", zh="现场联系电话", en="Phone on site", required=True),
                Field(
                    name="danger",
                    zh="有危险（隧道、高速、伤员）",
                    en="In danger (tunnel, motorway, injured)",
                    shape="tick",
                ),
                _FAULT,
                _SERIAL,
            ),
        ),
    )
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field."""

    zh: str
    en: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


MISSING = Fault("必填", "Please fill this in")


class TicketIncomplete(BadInput):
    """The ticket is not complete; nothing was saved, and what was typed is still there."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.faults = dict(faults)
        """By the field's name; also subject, customer and engine."""
        super().__init__(", ".join(f"{name}: {fault.en}" for name, fault in faults.items()))

    def as_json(self) -> dict[str, object]:
        return {"fields": {name: fault.en for name, fault in self.faults.items()}}


def form_of(kind: str) -> Form:
    try:
        return FORMS[TicketKind(kind)]
    except ValueError:
        raise BadInput("no ticket is of kind %(kind)s", kind=repr(kind[:20])) from None


def checked(form: Form, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Fault]]:
    """The answers to the form's questions in their types, and what is wrong, by field."""
    answers: dict[str, Any] = {}
    faults: dict[str, Fault] = {}
    for field in form.fields:
        raw = given.get(field.name)
        text = "" if raw is None else str(raw).strip()
        if not text or (field.shape == "tick" and text in ("False", "0", "off")):
            if field.required:
                faults[field.name] = MISSING
            continue
        try:
            answers[field.name] = _read(field, text)
        except ValueError:
            faults[field.name] = Fault(f"不能是“{text[:30]}”", f"cannot be “{text[:30]}”")
    known = {field.name for field in form.fields}
    faults |= {str(name)[:40]: Fault("没有这一项", "there is no such field") for name in given if name not in known}
    return answers, faults


def _read(field: Field, text: str) -> Any:
    match field.shape:
        case "choice":
            if text not in {choice.value for choice in field.choices}:
                raise ValueError(text)
            return text
        case "number":
            number = int(text)
            if not 0 <= number <= 10_000_000:
                raise ValueError(text)
            return number
        case "date":
            return date.fromisoformat(text).isoformat()
        case "tick":
            return True
        case _:
            kept = clean(text)
            if not kept or len(kept) > field.longest:
                raise ValueError(text)
            return kept
