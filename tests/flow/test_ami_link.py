"""The link to the switch, over a real socket: kept up, never trusted, and nothing asked twice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from callcenter.database import now
from config.settings import Switch
from cti.ami import Door, LoginRefused
from cti.link import SwitchRefused, SwitchUnreachable
from cti.wire import BadField
from tests.fake_ami import BANNER, FakeAmi, event, fake_ami, listed, ok
from tests.loop import in_loop, until

WANTED = {"Hangup", "Newchannel", "OriginateResponse", "DeviceStateChange"}


@asynccontextmanager
async def link(ami: FakeAmi, secret: str = "geheim", **settings: float):
    """A door to this server, closed at the end."""
    door = Door(Switch(ami_port=ami.port, **settings), secret, WANTED)
    try:
        await door.connect()
        yield door
    finally:
        await door.close()


def hangup(n: int, late_s: float = 0) -> str:
    return event("Hangup", Timestamp=f"{time.time() - late_s:.6f}", Uniqueid=f"tel-1795310468.{n}")


async def no_more_answers(ami: FakeAmi, door: Door) -> int:
    """From the first answer to the heartbeat on; how often it was asked so far."""
    await until(lambda: door._line is not None and not math.isnan(door._line.ahead_s))
    ami.answers["Ping"] = lambda _: None
    return len(ami.actions("Ping"))


async def ids(door: Door, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += [message["Uniqueid"] for message in await asyncio.wait_for(door.inbox.take(1000), 10)]
    return found


# --- asking -----------------------------------------------------------------------------------------------------


@in_loop
async def test_a_question_is_answered():
    async with fake_ami() as ami, link(ami) as door:
        assert door.connected
        assert door.booted_at is not None
        assert abs(now() - door.booted_at - timedelta(seconds=119)) < timedelta(seconds=5)  # whatever its zone
        assert (await door.ask("Ping"))["Ping"] == "Pong"


@in_loop
async def test_adding_a_member_is_one_answer_not_a_list():
    async with fake_ami() as ami, link(ami) as door:
        ami.answers["QueueAdd"] = lambda _: ok("Message: Added interface to queue")
        answer = await door.ask("QueueAdd", Queue="repair", Interface="PJSIP/1001", Paused=False)
        assert answer["Message"] == "Added interface to queue"
        assert ami.actions("QueueAdd")[0]["Paused"] == "false"


@in_loop
async def test_a_refusal_is_said_with_the_switchs_words():
    async with fake_ami() as ami, link(ami) as door:
        with pytest.raises(SwitchRefused, match="Invalid/unknown command"):
            await door.ask("Command", Command="core stop now")


@in_loop
async def test_a_question_without_an_answer_ends_at_its_deadline_and_a_late_answer_hurts_nobody():
    async with fake_ami() as ami, link(ami) as door:
        ami.answers["Originate"] = lambda _: None
        with pytest.raises(SwitchUnreachable, match="Originate"):
            await door.ask("Originate", timeout_s=0.05, Channel="PJSIP/1001")
        late = ami.actions("Originate")[0]["ActionID"]
        await ami.say(f"Response: Success\r\nActionID: {late}\r\n\r\n", hangup(1))
        assert await ids(door, 1) == ["tel-1795310468.1"]
        assert (await door.ask("Ping"))["Ping"] == "Pong"


@in_loop
async def test_answers_in_another_order_reach_who_asked():
    async with fake_ami() as ami, link(ami) as door:
        ami.answers["Getvar"] = lambda _: None
        asked = [asyncio.create_task(door.ask("Getvar", Variable=name)) for name in "ABC"]
        await ami.heard_action("Getvar", 3)
        for action in reversed(ami.actions("Getvar")):
            await ami.say(f"Response: Success\r\nActionID: {action['ActionID']}\r\nValue: {action['Variable']}\r\n\r\n")
        assert [answer["Value"] for answer in await asyncio.gather(*asked)] == ["A", "B", "C"]


@in_loop
async def test_a_list_is_its_items_from_start_to_complete():
    async with fake_ami() as ami, link(ami) as door:
        items = [event("QueueMember", Queue="repair", Name=name) for name in ("1001", "1002")]
        ami.answers["QueueStatus"] = lambda _: listed(items, "QueueStatusComplete")
        assert [item["Name"] for item in await door.ask_list("QueueStatus")] == ["1001", "1002"]
        ami.answers["QueueStatus"] = lambda _: listed([], "QueueStatusComplete")
        assert await door.ask_list("QueueStatus") == []


@in_loop
async def test_items_of_a_list_stay_out_of_the_inbox_and_events_between_them_reach_it():
    async with fake_ami() as ami, link(ami) as door:
        state = event("DeviceStateChange", Device="PJSIP/1001", State="NOT_INUSE")
        ami.answers["DeviceStateList"] = lambda _: None
        asked = asyncio.create_task(door.ask_list("DeviceStateList"))
        action_id = (await ami.heard_action("DeviceStateList"))["ActionID"]
        await ami.say(
            f"Response: Success\r\nActionID: {action_id}\r\nEventList: start\r\n\r\n",
            state.replace("\r\n", f"\r\nActionID: {action_id}\r\n", 1),
            hangup(1),
            f"Event: DeviceStateListComplete\r\nActionID: {action_id}\r\nEventList: Complete\r\nListItems: 1\r\n\r\n",
        )
        assert [item["Device"] for item in await asked] == ["PJSIP/1001"]
        assert await ids(door, 1) == ["tel-1795310468.1"]
        assert len(door.inbox) == 0


@in_loop
async def test_a_list_that_never_ends_ends_at_its_deadline():
    async with fake_ami() as ami, link(ami) as door:
        ami.answers["QueueStatus"] = lambda _: ok("EventList: start")
        with pytest.raises(SwitchUnreachable):
            await door.ask_list("QueueStatus", timeout_s=0.05)


@in_loop
async def test_an_event_that_carries_our_action_id_still_reaches_the_inbox():
    async with fake_ami() as ami, link(ami) as door:
        response = event("OriginateResponse", Response="Success", Uniqueid="out-7")
        ami.answers["Originate"] = lambda _: response + ok("Message: Originate successfully queued") + response
        assert (await door.ask("Originate", Async=True))["Message"] == "Originate successfully queued"
        assert await ids(door, 2) == ["out-7", "out-7"]


@in_loop
async def test_a_line_break_in_a_field_is_refused_and_nothing_is_sent():
    async with fake_ami() as ami, link(ami) as door:
        with pytest.raises(BadField):
            await door.ask("UserEvent", UserEvent="x", Text="y\r\n\r\nAction: DBPut\r\nFamily: evil")
        await door.ask("Ping")
        assert not ami.actions("UserEvent")
        assert not ami.actions("DBPut")


@in_loop
async def test_a_caller_who_gives_up_leaves_nothing_behind():
    async with fake_ami() as ami, link(ami) as door:
        ami.answers["Getvar"] = lambda _: None
        asked = asyncio.create_task(door.ask("Getvar", Variable="X"))
        action = await ami.heard_action("Getvar")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await ami.say(f"Response: Success\r\nActionID: {action['ActionID']}\r\n\r\n")
        assert (await door.ask("Ping"))["Ping"] == "Pong"
        assert door._line is not None
        assert not door._line._pending


# --- hearing ----------------------------------------------------------------------------------------------------


@in_loop
async def test_events_come_in_order_and_unwanted_ones_not_at_all():
    async with fake_ami() as ami, link(ami) as door:
        await ami.say("".join(event("VarSet", Variable="X", Value="1") + hangup(n) for n in range(500)))
        assert await ids(door, 500) == [f"tel-1795310468.{n}" for n in range(500)]
        assert len(door.inbox) == 0


@in_loop
async def test_a_letter_cut_by_two_segments_arrives_whole():
    async with fake_ami() as ami, link(ami) as door:
        raw = event("Newchannel", CallerIDName="王小明", Uniqueid="a.1").encode()
        middle = raw.index("小".encode()) + 1
        await ami.say(raw[:middle], raw[middle:])
        message = (await asyncio.wait_for(door.inbox.take(1), 10))[0]
        assert message["CallerIDName"] == "王小明"
        assert time.time() - 60 < message.received_at <= time.time()


@in_loop
async def test_odd_frames_never_cost_the_link_or_the_next_event(caplog):
    async with fake_ami() as ami, link(ami) as door:
        await ami.say(
            b"\r\n\r\n\r\n",
            b"\r\n" + hangup(1).encode(),  # the stray line end behind AGIExecEnd
            b"Event: CoreShowChannelMapComplete\r\nEventList: Complete\r\n\n" + hangup(2).encode(),
            b"Event: Hangup\r\nEvent: Hangup\r\nActionID: 1\r\nActionID: 2\r\nUniqueid: tel-1795310468.3\r\n\r\n",
            b"no colon\r\n: no name\r\n\xff\xfe: \x00\r\n\r\n",
            b"Response: Success\r\n\r\nResponse: Success\r\nActionID: nobody\r\n\r\n",
            b"Event: UserEvent\r\nText: " + b"x" * (1 << 20) + b"\r\n\r\n",
            BANNER + hangup(4).encode(),
        )
        assert await ids(door, 4) == [f"tel-1795310468.{n}" for n in (1, 2, 3, 4)]
        assert ami.logins == 1


@in_loop
async def test_a_full_inbox_is_emptied_and_says_so():
    async with fake_ami() as ami, link(ami, inbox_size=100) as door:
        overflows: list[int] = []
        door.on_overflow = lambda: overflows.append(len(door.inbox))
        await ami.say("".join(hangup(n) for n in range(150)))
        await until(lambda: overflows)
        await until(lambda: len(door.inbox) == 50)
        assert await ids(door, 50) == [f"tel-1795310468.{n}" for n in range(100, 150)]
        assert door.inbox.dropped == 100
        assert door.connected


@in_loop
async def test_an_event_too_long_to_keep_means_resync_too():
    async with fake_ami() as ami, link(ami) as door:
        overflows: list[bool] = []
        door.on_overflow = lambda: overflows.append(True)
        await ami.say(b"Event: Hangup\r\nText: " + b"x" * (5 << 20) + b"\r\n\r\n" + hangup(1).encode())
        assert await ids(door, 1) == ["tel-1795310468.1"]
        await until(lambda: overflows)
        assert door.connected


@in_loop
async def test_a_listener_that_raises_is_logged_and_the_link_stays(caplog):
    def fail() -> None:
        raise RuntimeError("listener")

    async with fake_ami() as ami:
        door = Door(Switch(ami_port=ami.port, inbox_size=1), "geheim", WANTED)
        door.on_connected = door.on_overflow = door.on_lost = fail
        assert await door.connect()
        await ami.say(hangup(1) + hangup(2) + hangup(3))
        assert await ids(door, 1) == ["tel-1795310468.3"]
        assert (await door.ask("Ping"))["Ping"] == "Pong"
        await door.close()
        assert caplog.text.count("a listener failed") >= 3


# --- the link ---------------------------------------------------------------------------------------------------


@in_loop
async def test_a_cut_link_is_back_within_a_second_and_nothing_is_asked_again():
    async with fake_ami() as ami, link(ami) as door:
        told: list[str] = []
        door.on_lost, door.on_connected = lambda: told.append("lost"), lambda: told.append("connected")
        ami.answers["Originate"] = lambda _: None
        asked = asyncio.create_task(door.ask("Originate", Channel="PJSIP/trunk/sip:13800138000@127.0.0.2"))
        await ami.heard_action("Originate")
        began = time.monotonic()
        ami.cut()
        with pytest.raises(SwitchUnreachable):
            await asked
        await until(lambda: door.connected and told == ["lost", "connected"])
        assert time.monotonic() - began < 2
        await ami.say(hangup(1))
        assert await ids(door, 1) == ["tel-1795310468.1"]
        await door.ask("Ping")
        assert len(ami.actions("Originate")) == 1


@in_loop
async def test_a_half_open_link_is_noticed_by_the_heartbeat():
    async with fake_ami() as ami, link(ami, heartbeat_s=0.4) as door:
        lost: list[float] = []
        door.on_lost = lambda: lost.append(time.monotonic())
        await door.ask("Ping")
        ami.frozen = True
        frozen_at = time.monotonic()
        await until(lambda: lost)
        beat_s = 0.4 * 1.2
        assert lost[0] - frozen_at < beat_s + 0.5
        assert Switch().heartbeat_s * 1.2 <= 7
        ami.frozen = False
        await until(lambda: door.connected)


@in_loop
async def test_a_switch_that_stands_still_is_sent_nothing_it_would_do_when_it_wakes():
    async with fake_ami() as ami, link(ami, heartbeat_s=1.0) as door:
        await door.ask("Ping")
        ami.frozen = True
        await until(lambda: time.monotonic() - door._line.heard_at > 0.6 if door._line else True)
        with pytest.raises(SwitchUnreachable, match="Hangup was not sent"):
            await door.ask("Hangup", Channel="PJSIP/1001-00000001")
        ami.frozen = False
        await until(lambda: door.connected and time.monotonic() - door._line.heard_at < 0.4 if door._line else False)
        await door.ask("Ping")
        assert ami.actions("Hangup") == []


@in_loop
async def test_a_switch_too_busy_to_answer_the_heartbeat_but_talking_keeps_its_link():
    async with fake_ami() as ami, link(ami, heartbeat_s=0.4) as door:
        await no_more_answers(ami, door)
        for n in range(25):
            await ami.say(hangup(n, late_s=2))
            await asyncio.sleep(0.04)  # the passing of time is what is tested
        assert len(ami.actions("Ping")) >= 3
        assert ami.logins == 1
        assert door.connected


@pytest.mark.parametrize(("late_s", "questions"), [(0, 1), (2, 3)])
@in_loop
async def test_a_link_on_which_we_are_never_heard_is_lost_at_once_but_thrice_asked_if_it_tells_late(late_s, questions):
    async with fake_ami() as ami, link(ami, heartbeat_s=0.4) as door:
        asked = await no_more_answers(ami, door)
        for n in range(200):
            if ami.logins > 1:
                break
            with contextlib.suppress(ConnectionError):
                await ami.say(hangup(n, late_s=late_s))
            await asyncio.sleep(0.04)
        assert ami.logins == 2
        assert len(ami.actions("Ping")) - asked == questions


@in_loop
async def test_a_refused_log_in_says_so_and_is_not_hammered(caplog):
    caplog.set_level("INFO")
    async with fake_ami(secret="other") as ami, link(ami) as door:
        assert not door.connected
        assert isinstance(door.fault, LoginRefused)
        assert "Authentication failed" in str(door.fault)
        with pytest.raises(SwitchUnreachable):
            await door.ask("Ping")
        await until(lambda: "Next try in" in caplog.text, what="the connection is given up")
        assert "Try to connect again" not in caplog.text, "panoramisk would, in 2 s"
        (pause,) = re.findall(r"Next try in ([0-9.]+) s", caplog.text)
        assert (ami.logins, float(pause) >= 3.7) == (1, True), "only a person can mend it"


@in_loop
async def test_a_log_in_nobody_answers_is_given_up():
    async with fake_ami() as ami:
        ami.frozen = True
        async with link(ami, answer_timeout_s=0.2) as door:
            assert not door.connected
            assert isinstance(door.fault, SwitchUnreachable)
            ami.frozen = False
            await until(lambda: door.connected)


@in_loop
async def test_a_switch_that_comes_later_is_found():
    async with fake_ami() as ami:
        port = ami.port
        await ami.stop()
        async with link(ami) as door:
            assert not door.connected
            assert f"127.0.0.1:{port}" in str(door.fault)
            await ami.start(port)
            await until(lambda: door.connected)
            assert door.fault is None


@in_loop
async def test_a_switch_that_still_starts_is_not_asked_yet():
    async with fake_ami() as ami:
        ami.boots = False
        door = Door(Switch(ami_port=ami.port), "geheim", WANTED)
        connecting = asyncio.create_task(door.connect())
        await ami.heard_action("Login")
        assert not door.connected
        await ami.say(event("FullyBooted", Uptime="0", Status="Fully Booted"))
        assert await connecting
        await door.close()


@in_loop
async def test_a_switch_that_restarts_says_another_boot_time():
    async with fake_ami() as ami, link(ami) as door:
        before = door.booted_at
        ami.answers["CoreStatus"] = lambda _: ami.core_status(later_s=78)
        await ami.say(event("Shutdown", Shutdown="Cleanly", Restart="True"))
        await until(lambda: ami.logins == 2 and door.connected)
        assert before is not None
        assert door.booted_at is not None
        assert (door.booted_at - before).total_seconds() == 78


@in_loop
async def test_closing_ends_the_link_and_the_tries(caplog):
    caplog.set_level(logging.WARNING)
    async with fake_ami() as ami:
        async with link(ami) as door:
            pass
        assert not door.connected
        with pytest.raises(SwitchUnreachable):
            await door.ask("Ping")
        assert ami.logins == 1
        assert "ami" not in {task.get_name() for task in asyncio.all_tasks()}
        assert not caplog.records
