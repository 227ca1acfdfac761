"""A customer handed on, asked about, parked and fetched: on a real switch, as rows and as who is on the line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.database import now
from callcenter.jobs import Job
from callcenter.nudges import Wished, WishSettled
from config.people import User
from cti import handovers, rooms, wishes
from cti.calls import PAGE_GONE
from cti.moves import HUNG_UP, Seats
from cti.rows import Call, Leg
from tests.sipp import FarEnd
from tests.switch.conftest import Switch
from tests.switch.test_calls_as_rows import Cti, cti_  # noqa: F401 - a fixture
from tests.waiting import wait_until

NOTE = "客户要求今天到场，冒黑烟，已查过三包"


class Talk:
    """李建国 talks with 王小明 (1001)."""

    def __init__(self, cti: Cti, switch: Switch, people: ExitStack, hold_s: float) -> None:
        self.cti = cti
        self.switch = switch
        cti.serves("1001")
        self.caller = people.enter_context(switch.caller(hold_s=hold_s))
        self.call_id = cti.call(lambda call: call.state == "talking" and call.agent == "1001").call_id
        wait_until(lambda: len([leg for leg in self.legs() if leg.bridge]) == 2, what="both are in a bridge")

    def legs(self) -> list[Leg]:
        with self.cti.database.read() as db:
            return wishes.live_legs(db, self.call_id)

    def user(self, extension: str) -> User:
        with self.cti.database.read() as db:
            return db.scalars(select(User).where(User.extension == extension)).one()

    def wishes(self, what: str, to: str = "", by: str = "1001") -> Job:
        """The wish, once it was carried out."""
        user, settings = self.user(by), self.switch.settings
        with self.cti.database.write() as db:
            said = {"note": NOTE, "ticket_id": 7, "draft": {"subject": "冒黑烟"}}
            match what:
                case "send_on":
                    job = wishes.send_on(db, settings, self.call_id, to, user, now(), said)
                case "ask":
                    job = wishes.ask(db, settings, self.call_id, to, user, now(), said)
                case "park":
                    job = wishes.park(db, self.call_id, user, now())
                case "fetch":
                    job = wishes.fetch(db, self.call_id, user, now())
                case "take_back":
                    job = wishes.take_back(db, self.call_id, user, now())
                case "meet_again":
                    job = rooms.meet_again(db, settings, self.call_id, user, now())
                case _:
                    job = wishes.answer_asked(db, what, self.call_id, user, now())
        self.cti.intake._bus.publish(Wished(job_id=job.id))

        def settled() -> WishSettled | None:
            told = [event for event in self.cti.told if isinstance(event, WishSettled) and event.job_id == job.id]
            return told[0] if told else None

        done = wait_until(settled, 5, f"{what} is carried out")
        assert done is not None
        assert done.fault == "", f"{what}: {done.fault} {done.detail}"
        return job

    def bridged(self, *who: str) -> bool:
        """Just these are together: extensions, and "" for the outside."""
        legs = self.legs()
        rooms = {leg.bridge for leg in legs if (leg.agent or "") in who}
        return len(rooms) == 1 and "" not in rooms and sorted(leg.agent or "" for leg in legs) == sorted(who)

    def call(self) -> Call:
        with self.cti.database.read() as db:
            return db.get_one(Call, self.call_id)

    def kinds(self) -> list[tuple[str, str | None]]:
        return [(segment[0], segment[2]) for segment in self.cti.segments(self.call())]


@pytest.fixture
def talk(cti_: Cti, switch: Switch, people: ExitStack) -> Callable[..., Talk]:  # noqa: F811
    def begin(hold_s: float = 20) -> Talk:
        return Talk(cti_, switch, people, hold_s)

    return begin


def phones(switch: Switch, people: ExitStack, *extensions: str, **more: Any) -> list[FarEnd]:
    return [people.enter_context(switch.desk(extension, **more)) for extension in extensions]


def test_a_customer_is_handed_over_to_a_colleague_who_was_asked_first(switch, cti_, people, talk):  # noqa: F811
    first, _second = phones(switch, people, "1001", "1002")
    of = talk()
    of.wishes("ask", "1002")
    wait_until(lambda: cti_.agent("1002").state == "talking", what="the colleague answers 王小明")
    assert cti_.agent("1002").call_id == of.call_id, "he sees the customer's card before he takes him"
    seats = Seats.of(of.legs(), "1001")
    assert [leg.agent for leg in (seats.mine, seats.customer, seats.asked) if leg] == ["1001", None, "1002"]
    assert of.call().state == "talking"
    assert of.kinds()[-1] == ("hold", "1001")

    of.wishes("back")
    wait_until(lambda: of.bridged("", "1001"), what="王小明 is with his customer again")
    assert of.kinds()[-1] == ("talk", "1001")

    of.wishes("ask", "1002")
    wait_until(lambda: cti_.agent("1002").state == "talking")
    of.wishes("hand_over")
    wait_until(lambda: of.bridged("", "1002"), what="the colleague has the customer")
    wait_until(lambda: cti_.agent("1001").state == "wrap_up")
    with cti_.database.read() as db:
        said = handovers.latest(db, of.call_id)
        assert said is not None
        assert (said.note, said.ticket_id, said.draft, said.to) == (NOTE, 7, {"subject": "冒黑烟"}, "1002")

    # Three in a room; the first leaves it, the others go on talking; with the last colleague it is over.
    of.wishes("ask", "1001", by="1002")
    wait_until(lambda: Seats.of(of.legs(), "1002").asked is not None and len(of.legs()) == 3)
    wait_until(lambda: of.cti.agent("1001").state == "talking")
    of.wishes("meet", by="1002")
    wait_until(lambda: of.bridged("", "1001", "1002"), what="all three are in one room")
    call_ids = {call.call_id for call in _calls(cti_)}
    assert call_ids == {of.call_id}, "a conference is no call of its own"

    # The page of one is loaded again: the others talk on, and he is with them again.
    _hang_up(of, "1001", PAGE_GONE)
    wait_until(lambda: of.bridged("", "1002"))
    of.wishes("meet_again")
    wait_until(lambda: of.bridged("", "1001", "1002"), what="王小明 is back in the room")
    assert f"X-Callcenter-Kept: {of.call_id}" in first.messages(), "by which a page answers of itself"
    _hang_up(of, "1002")
    wait_until(lambda: of.bridged("", "1001"))
    with cti_.database.read() as db, pytest.raises(wishes.NotInCall):
        rooms.meet_again(db, switch.settings, of.call_id, of.user("1002"), now())  # he hung up

    # That of the last with the customer: he is kept for him.
    _hang_up(of, "1001", PAGE_GONE)
    wait_until(lambda: (of.call().state, of.call().agent) == ("kept", "1001"), what="the customer is kept")
    of.wishes("take_back")
    wait_until(lambda: of.bridged("", "1001"), what="王小明 has him back")
    _hang_up(of, "1001")
    call = cti_.call(lambda call: call.call_id == of.call_id and call.state == "ended")
    assert (call.outcome, call.transfers) == ("answered", 1)
    of.caller.wait_over()
    queue_log = (switch.settings.switch_home / "log" / "queue_log").read_text()
    assert f"{of.call_id}|inquiry|1001|COMPLETE" in queue_log


def test_whoever_is_asked_and_does_not_answer_costs_the_customer_nothing(switch, cti_, people, talk):  # noqa: F811
    phones(switch, people, "1001")
    phones(switch, people, "1002", refuse_with=486)
    phones(switch, people, "1003", answer_ms=None)
    of = talk()
    of.wishes("ask", "1002")
    wait_until(lambda: of.kinds()[-1] == ("hold", "1001"))
    wait_until(lambda: of.bridged("", "1001"), what="the colleague refuses: 王小明 has his customer back")

    of.wishes("ask", "1003")
    wait_until(lambda: cti_.agent("1003").state == "ringing")
    of.wishes("back")
    wait_until(lambda: of.bridged("", "1001"), what="he does not wait until it is answered")
    assert cti_.agent("1003").state == "idle"

    # Sent on without asking: he comes back to who sent him, because nobody takes him.
    of.wishes("send_on", "1002")
    wait_until(lambda: of.call().transfers == 1)
    wait_until(lambda: of.bridged("", "1001") and len(of.legs()) == 2, 10, "back with 王小明")
    _hang_up(of, "1001")
    of.caller.wait_over()


def test_a_parked_customer_is_fetched_at_another_desk(switch, cti_, people, talk):  # noqa: F811
    phones(switch, people, "1001", "1003")
    of = talk()
    of.wishes("park")
    wait_until(lambda: of.call().state == "parked")
    wait_until(lambda: cti_.agent("1001").state == "wrap_up", what="王小明 is free")
    assert of.kinds()[-1] == ("hold", "1001")
    of.wishes("fetch", by="1003")
    wait_until(lambda: of.bridged("", "1003"), what="赵海涛 has fetched him")
    assert of.call().state == "talking"
    wait_until(lambda: (cti_.agent("1003").state, cti_.agent("1003").call_id) == ("talking", of.call_id))
    of.wishes("send_on", "repair", by="1003")
    wait_until(lambda: of.call().queue == "repair" and of.call().state == "waiting")
    of.caller.stop()
    _hang_up(of, "")


def _hang_up(of: Talk, agent: str, cause: int = HUNG_UP) -> None:
    for leg in of.legs():
        if (leg.agent or "") == agent:
            of.cti.run(of.cti.intake.door.ask("Hangup", Channel=leg.channel, Cause=cause))


def _calls(cti: Cti) -> list[Call]:
    with cti.database.read() as db:
        return list(db.scalars(select(Call)))
