"""Desk phones without a page: the same buttons by codes, keys and the phone's own transfer, on a real switch."""

from __future__ import annotations

import wave
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.database import now
from config.people import User
from config.switch import sip_password
from cti import dialling, helping, moves
from cti.rows import Call, Leg
from tests.sipp import Caller
from tests.switch.conftest import Switch
from tests.switch.test_calls_as_rows import Cti, cti_  # noqa: F401 - a fixture
from tests.waiting import wait_until
from ticketing import customers

SAID = (
    "whom",
    "not-free",
    "no-number",
    "no-call",
    "ready",
    "break-lunch",
    "park",
    "help",
    "none-parked",
    "do-not-call",
    "nobody",
)


@pytest.fixture(autouse=True)
def spoken(switch: Switch) -> None:
    """What the phones say, a second of silence each."""
    for name in SAID:
        file = switch.home / "sounds/zh/cc" / f"code-{name}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(16000))


class Desks:
    """王小明 (1001), 李静 (1002) and 赵海涛 (1003) at their desk phones."""

    def __init__(self, switch: Switch, cti: Cti, people: ExitStack) -> None:
        self.switch, self.cti, self.people = switch, cti, people

    def dials(self, extension: str, what: str, **more: Any) -> Caller:
        """A second line of the agent's phone."""
        who = {"number": extension, "password": sip_password(self.switch.settings, extension), "host": "127.0.0.3"}
        return self.people.enter_context(self.switch.caller(what, **who, **more))

    def hears(self, prompt: str) -> None:
        wait_until(
            lambda: f"!Playback!cc/code-{prompt}!" in self.switch.process.cli("core show channels concise"),
            what=f"the phone says {prompt}",
        )

    def customer(self, agent: str, hold_s: float = 20) -> Call:
        self.people.enter_context(self.switch.caller(hold_s=hold_s))
        return self.cti.call(lambda call: call.state == "talking" and call.agent == agent)

    def talks(self, extension: str, call_id: str) -> None:
        def together() -> bool:
            with self.cti.database.read() as db:
                legs = db.scalars(select(Leg).where(Leg.call_id == call_id, Leg.ended_at.is_(None))).all()
            return sorted(leg.agent or "" for leg in legs) == ["", extension] and len({leg.bridge for leg in legs}) == 1

        wait_until(together, 15, f"the customer and {extension} are together")

    def over(self) -> None:
        """Everybody hangs up."""
        self.cti.run(moves.end(self.cti.intake.door, self.switch.channels()))
        wait_until(lambda: not self.switch.channels(), what="everybody has hung up")


@pytest.fixture
def desks(switch: Switch, cti_: Cti, people: ExitStack) -> Desks:  # noqa: F811
    return Desks(switch, cti_, people)


def test_an_agent_gets_ready_and_goes_on_a_break_by_codes_and_hears_that_he_did(desks, cti_):  # noqa: F811
    desks.dials("1001", "*70").wait_answered()
    desks.hears("ready")
    wait_until(lambda: cti_.agent("1001").status == "available")
    desks.dials("1001", "*72")
    desks.hears("break-lunch")
    agent = cti_.agent("1001")
    assert (agent.status, agent.status_reason) == ("on_break", "lunch")
    assert (agent.state, cti_.spells("1001").count("talking")) == ("idle", 0), "a code is no talk"
    desks.dials("1001", "*81")
    desks.hears("none-parked")


def test_in_a_talk_help_is_asked_for_and_the_customer_parked_by_keys_and_fetched_by_a_code(desks, switch, cti_, people):  # noqa: F811
    keys = ((0.6, "*"), (0.15, "8"), (0.15, "2"), (1.5, "*"), (0.15, "8"), (0.15, "0"))
    people.enter_context(switch.desk("1001", presses=keys))
    people.enter_context(switch.desk("1003"))
    cti_.serves("1001")
    call = desks.customer("1001")

    def asked() -> list[tuple[str, str]]:
        with cti_.database.read() as db:
            return [(row.call_id, row.extension) for row, _call in helping.open_requests(db)]

    wait_until(lambda: asked() == [(call.call_id, "1001")], what="who leads is asked for help")
    cti_.call(lambda now_: now_.state == "parked")
    wait_until(lambda: cti_.agent("1001").state == "wrap_up", what="王小明 is free")
    desks.dials("1003", "*81")
    desks.talks("1003", call.call_id)
    found = cti_.call(lambda now_: now_.call_id == call.call_id and now_.state == "talking")
    assert (found.transfers, [s[0] for s in cti_.segments(found)][2:]) == (0, ["talk", "hold", "talk"])
    desks.over()
    wait_until(lambda: cti_.agent("1003").state == "wrap_up", what="who took him over writes, too")
    assert cti_.agent("1003").queue == "inquiry"


def keys(text: str, after_s: float) -> tuple[tuple[float, str], ...]:
    """Pressed one after the other, the first so long after what was before."""
    return tuple((0.12 if place else after_s, key) for place, key in enumerate(text))


def test_without_a_transfer_key_a_colleague_is_asked_and_the_customer_sent_on_by_codes(desks, switch, cti_, people):  # noqa: F811
    presses = (*keys("*841002#", 1.5), *keys("*85", 1.5), *keys("*831003#", 1.5))
    people.enter_context(switch.desk("1001", presses=presses))
    people.enter_context(switch.desk("1002"))
    people.enter_context(switch.desk("1003"))
    cti_.serves("1001")
    # What the customer presses is his own: he is not parked.
    people.enter_context(switch.caller(hold_s=30, later=keys("*80", 1.2)))
    call = cti_.call(lambda call: call.state == "talking" and call.agent == "1001")
    wait_until(lambda: cti_.agent("1002").state == "talking", 15, what="李静 is asked")
    assert cti_.agent("1002").call_id == call.call_id
    desks.talks("1001", call.call_id)
    desks.talks("1003", call.call_id)
    found = cti_.call(lambda now_: now_.call_id == call.call_id and now_.agent == "1003")
    assert (found.transfers, found.holds) == (1, 3), (
        "music twice while a number was keyed, and while he was asked about"
    )
    assert [s[2] for s in cti_.segments(found) if s[0] == "talk"] == ["1001"] * 4 + ["1003"]
    desks.over()


def test_the_phones_own_transfer_key_parks_sends_on_and_brings_back(desks, switch, cti_, people):  # noqa: F811
    people.enter_context(switch.desk("1001", refer_to="*80"))
    people.enter_context(switch.desk("1002", refuse_with=486))
    sends_on = people.enter_context(switch.desk("1003", refer_to="1002"))
    cti_.serves("1001")
    call = desks.customer("1001")
    parked = cti_.call(lambda now_: now_.state == "parked")
    assert (parked.transfers, parked.agent) == (0, "1001"), "to park is no transfer"
    desks.dials("1003", "*81")
    wait_until(lambda: sends_on.invites == 2, 15, "李静 does not take him: he is back with who sent him")
    assert cti_.call(lambda now_: now_.transfers == 1).call_id == call.call_id
    desks.over()


def test_a_phones_attended_transfer_is_one_call_one_transfer_and_a_wrap_up_for_both(desks, switch, cti_, people):  # noqa: F811
    asks = people.enter_context(switch.desk("1001"))
    people.enter_context(switch.desk("1002"))
    cti_.serves("1001")
    call = desks.customer("1001")
    wait_until(lambda: asks.messages().count("CSeq: 1 ACK") or "ACK sip:" in asks.messages())
    desks.dials("1001", "1002", refer_to="1002", replaces=asks.dialog(), refer_after_s=1)
    desks.talks("1002", call.call_id)
    wait_until(lambda: cti_.agent("1001").state == "wrap_up", what="王小明 is free")
    found = cti_.call(lambda now_: now_.call_id == call.call_id and now_.agent == "1002")
    assert (found.transfers, found.outcome, found.state) == (1, "", "talking")
    assert [s[:3] for s in cti_.segments(found)][2:] == [("talk", "inquiry", "1001"), ("talk", None, "1002")]
    desks.over()
    wait_until(lambda: cti_.agent("1002").state == "wrap_up", what="李静 writes, too")


def test_a_number_dialled_on_a_phone_is_looked_at_as_in_the_page(desks, switch, cti_, people):  # noqa: F811
    customer = people.enter_context(switch.far_end())
    leads = User(login="zhaomin", role="supervisor", extension=None)
    with cti_.database.write() as db:  # stations may be called at any hour, and so by a test
        customers.create(db, "station", "郑州特约维修站", now(), phones=["13900139000", "13900139001"])
        dialling.put_on_list(db, switch.settings, "13900139001", "不要再打来", leads, now())
    refused = desks.dials("1001", "13900139001")
    desks.hears("do-not-call")
    refused.wait_over()
    assert customer.invites == 0
    caller = desks.dials("1001", "13900139000", hold_s=2)
    caller.wait_over()
    assert customer.invites == 1
    call = cti_.call(lambda call: call.state == "ended", nth=1)
    assert (call.direction, call.outcome) == ("out", "answered")
    with cti_.database.read() as db:
        (dial,) = db.scalars(select(dialling.Dial))
        assert (dial.call_id, dial.by, dial.number) == (call.call_id, "agent1001", "+8613900139000")


def test_a_list_nobody_can_look_at_is_kept_and_help_is_called_all_the_same(desks, switch, cti_, people):  # noqa: F811
    carrier = people.enter_context(switch.far_end())
    cti_.stop()
    refused = desks.dials("1001", "13900139000")
    desks.hears("nobody")
    refused.wait_over()
    assert carrier.invites == 0
    desks.dials("1001", "120", hold_s=1).wait_over()
    assert carrier.invites == 1
    cti_.start()
