"""The door at a real switch."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from callcenter.database import now
from cti.ami import Door
from cti.link import SwitchRefused
from cti.moves import end
from cti.places import Place, Places, found_places, repairs
from cti.wire import BadField
from tests.loop import in_loop, until
from tests.switch.conftest import Switch

NAME = 'O\'Brien, "李雷" \\ 100% ? ${SHELL(id)}'


@asynccontextmanager
async def link(switch: Switch):
    door = Door(switch.settings.switch, switch.settings.ami_secret, {"Newchannel", "Newstate", "Hangup"})
    try:
        assert await door.connect(), door.fault
        yield door
    finally:
        await door.close()


@in_loop
async def test_it_logs_in_and_knows_since_when_the_switch_is_up(switch):
    async with link(switch) as door:
        assert (await door.ask("Ping"))["Ping"] == "Pong"
        assert door.booted_at is not None
        assert timedelta(0) <= now() - door.booted_at < timedelta(minutes=30)


@in_loop
async def test_a_refusal_is_an_error_with_the_switchs_words(switch):
    async with link(switch) as door:
        with pytest.raises(SwitchRefused, match="No such channel"):
            await door.ask("Hangup", Channel="PJSIP/nobody-00000001")
        with pytest.raises(SwitchRefused, match=r"[Pp]ermission denied"):
            await door.ask("Command", Command="core show version")
        assert await door.ask_list("CoreShowChannels") == []


@in_loop
async def test_an_injected_action_is_refused_and_harmless(switch):
    async with link(switch) as door:
        attack = "x\r\n\r\nAction: QueueAdd\r\nQueue: repair\r\nInterface: PJSIP/evil"
        with pytest.raises(BadField):
            await door.ask("UserEvent", UserEvent="x", Text=attack)
        with pytest.raises(BadField):
            await door.ask("Originate", Channel="Local/repair@queues", Variable={"X": attack})
        await door.ask("Ping")
    assert "evil" not in switch.process.cli("queue show repair")


@in_loop
async def test_a_name_goes_through_the_switch_and_back_unchanged(switch):
    async with link(switch) as door:
        await door.ask(
            "Originate",
            Channel="Local/repair@queues",
            Application="Wait",
            Data="1",
            Async=True,
            Variable={"CALLERID(name)": NAME, "A": "1,B=2"},
        )
        await until(lambda: len(switch.channels()) == 2)
        channels = await door.ask_list("CoreShowChannels")
        (ours,) = [channel["Channel"] for channel in channels if channel["Channel"].endswith(";1")]
        assert [channel["CallerIDName"] for channel in channels if channel["Channel"] == ours] == [NAME]
        assert (await door.ask("Getvar", Channel=ours, Variable="A"))["Value"] == "1,B=2"
        assert (await door.ask("Getvar", Channel=ours, Variable="B"))["Value"] == ""
        assert await end(door, [channel["Channel"] for channel in channels]) >= 1
        gone: set[str] = set()
        while gone != {channel["Uniqueid"] for channel in channels}:
            for message in await asyncio.wait_for(door.inbox.take(100), 10):
                if message["Event"] == "Hangup":
                    gone.add(message["Uniqueid"])


@in_loop
async def test_places_become_on_the_switch_what_they_are_wished_to_be(switch):
    async with link(switch) as door:

        async def make(wish: Places) -> None:
            """Do what is needed; then nothing more may be."""
            for step in repairs(wish, found_places(await door.ask_list("QueueStatus"), {"repair", "inquiry"})):
                await door.ask(step.action, **step.fields)
            assert found_places(await door.ask_list("QueueStatus"), {"repair", "inquiry"}) == wish

        li, wang = "PJSIP/1002", "PJSIP/1001"
        await make(
            {("repair", wang): Place(), ("inquiry", wang): Place(3), ("repair", li): Place(0, True, "午休, 12:00")}
        )
        await make({("repair", wang): Place(2, True, "wrap-up"), ("repair", li): Place(0, True, "missed")})
        switch.process.cli("queue unpause member PJSIP/1002 queue repair")
        switch.process.cli("queue remove member PJSIP/1001 from repair")
        switch.process.cli("queue add member PJSIP/1003 to inquiry")
        await make({("repair", wang): Place(2, True, "wrap-up"), ("repair", li): Place(0, True, "missed")})
        await make({("repair", li): Place()})
        await make({})
