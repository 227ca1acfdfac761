"""The inbox: what comes together is taken together, and what somebody waits for at once."""

from __future__ import annotations

import asyncio

from cti.inbox import MANY, Inbox
from cti.wire import Message

LONG_S = 30.0  # no test waits for it


def said(name):
    return Message(Event=name)


def taken(inbox: Inbox, *later: str):
    """What one take gets while these are put in, one after the other."""

    async def run():
        taking = asyncio.create_task(inbox.take(1000, LONG_S))
        for name in later:
            await asyncio.sleep(0)
            inbox.put(said(name))
        async with asyncio.timeout(5):
            return [message["Event"] for message in await taking]

    return asyncio.run(run())


def test_events_of_one_happening_are_taken_together_when_the_pressing_one_comes():
    inbox = Inbox(1000)
    inbox.pressing = {"AgentCalled"}
    assert taken(inbox, "QueueCallerJoin", "Newchannel", "AgentCalled") == [
        "QueueCallerJoin",
        "Newchannel",
        "AgentCalled",
    ]


def test_where_many_lie_already_nobody_waits_for_more():
    inbox = Inbox(1000)
    for _ in range(MANY):
        inbox.put(said("Hangup"))
    assert len(taken(inbox)) == MANY


def test_a_pressing_one_that_lies_here_already_is_taken_at_once():
    inbox = Inbox(1000)
    inbox.pressing = {"AgentCalled"}
    inbox.put(said("AgentCalled"))
    assert taken(inbox) == ["AgentCalled"]


def test_without_gathering_the_first_is_taken_at_once():
    async def run():
        inbox = Inbox(1000)
        inbox.put(said("Hangup"))
        return await inbox.take(10)

    assert [message["Event"] for message in asyncio.run(run())] == ["Hangup"]
