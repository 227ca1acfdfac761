"""The inbox: what comes together is taken together, and what somebody waits for at once."""

from __future__ import annotations

import asyncio

from cti.inbox import MANY, Inbox
from cti.wire import Message

LONG_S = 30.0  # no test waits for it


def said(name):
    return Message(Event=name)


def patient(**patience: float) -> Inbox:
    inbox = Inbox(1000)
    inbox.patience_s, inbox.patience = LONG_S, patience
    return inbox


def taken(inbox: Inbox, *later: str):
    """What one take gets while these are put in, one after the other."""

    async def run():
        taking = asyncio.create_task(inbox.take(1000))
        for name in later:
            await asyncio.sleep(0)
            inbox.put(said(name))
        async with asyncio.timeout(5):
            return [message["Event"] for message in await taking]

    return asyncio.run(run())


def test_events_of_one_happening_are_taken_together_when_the_pressing_one_comes():
    happening = ("QueueCallerJoin", "Newchannel", "AgentCalled")
    assert taken(patient(AgentCalled=0.0), *happening) == list(happening)


def test_what_is_told_moments_after_is_waited_for_and_no_longer_than_the_least_patient_one_may_lie():
    ended = ("AgentComplete", "BridgeLeave", "QueueMemberPause", "Hangup")
    assert taken(patient(AgentComplete=0.02, QueueMemberPause=LONG_S), *ended) == list(ended)


def test_where_many_lie_already_nobody_waits_for_more():
    inbox = patient()
    for _ in range(MANY):
        inbox.put(said("Hangup"))
    assert len(taken(inbox)) == MANY


def test_the_one_that_makes_them_many_ends_the_wait():
    assert len(taken(patient(), *["Hangup"] * MANY)) == MANY


def test_a_pressing_one_that_lies_here_already_is_taken_at_once():
    inbox = patient(AgentCalled=0.0)
    inbox.put(said("AgentCalled"))
    assert taken(inbox) == ["AgentCalled"]


def test_who_takes_too_few_of_them_gets_the_rest_at_once():
    inbox = patient(AgentCalled=0.0)

    async def run():
        for name in ("Newchannel", "AgentCalled", "Newstate"):
            inbox.put(said(name))
        return [[message["Event"] for message in await inbox.take(2)] for _ in range(2)]

    assert asyncio.run(run()) == [["Newchannel", "AgentCalled"], ["Newstate"]]


def test_without_patience_the_first_is_taken_at_once():
    async def run():
        inbox = Inbox(1000)
        inbox.put(said("Hangup"))
        return await inbox.take(10)

    assert [message["Event"] for message in asyncio.run(run())] == ["Hangup"]
