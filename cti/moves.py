"""What the switch is told to do with a call: one function per wish, each through the door, none tried twice.

The rooms customers wait and meet in are the dial plan's (extensions_rooms.conf.j2), so what is begun here goes on
without us.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from callcenter.errors import CallCenterError
from cti.ami import Door
from cti.calls import PAGE_GONE
from cti.link import SwitchRefused
from cti.rows import Leg

SENT_ON = "tel"  # the context where queues, agents and numbers can be reached
HUNG_UP = 16  # Q.850: meant


class CallMoved(CallCenterError):
    """The call is no longer as it was when this was asked for; nothing was done."""

    status = 409


@dataclass(frozen=True)
class Seats:
    """Who is on the line: the agent whose wish it is, his customer, and whom he asks."""

    mine: Leg | None
    customer: Leg | None
    asked: Leg | None
    with_customer: bool  # the two hear each other
    meeting: bool  # and so does somebody else
    third: Leg | None  # who that is

    @classmethod
    def of(cls, legs: Sequence[Leg], agent: str) -> Seats:
        """``legs`` are the live ones, the oldest first."""
        mine = next((leg for leg in reversed(legs) if agent and leg.agent == agent), None)
        others = [leg for leg in legs if leg is not mine]
        customer = next((leg for leg in others if leg.agent is None), others[0] if others and mine else None)
        later = legs[legs.index(mine) + 1 :] if mine is not None else ()  # who was there before was not asked by him
        asked = next((leg for leg in reversed(later) if leg is not customer), None)
        together = [leg for leg in legs if mine is not None and mine.bridge and leg.bridge == mine.bridge]
        with_customer = customer is not None and customer in together
        third = next((leg for leg in reversed(together) if leg is not mine and leg is not customer), None)
        return cls(mine, customer, asked, with_customer, len(together) > 2, third)


def outside_party(legs: Iterable[Leg]) -> Leg | None:
    """The leg of whoever is no agent."""
    return next((leg for leg in legs if leg.agent is None), None)


def _there(leg: Leg | None) -> Leg:
    if leg is None:
        raise CallMoved
    return leg


async def hang_up(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """End every leg; one that went by itself is no fault, for a leg takes its partner with it."""
    await end(door, [leg.channel for leg in legs])


async def end(door: Door, channels: Iterable[str], cause: int = HUNG_UP) -> int:
    """End these channels; how many were still there. SwitchUnreachable."""
    ended = 0
    for channel in channels:
        with contextlib.suppress(SwitchRefused):
            await door.ask("Hangup", Channel=channel, Cause=cause)
            ended += 1
    return ended


async def send_on(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The customer goes on alone; whoever talks to him is free."""
    seats = Seats.of(legs, wish.get("agent", ""))
    customer = _there(seats.customer)
    await _mark(door, customer, PUT_BY=wish.get("agent", ""), PERMITTED=wish["to"])
    partner = _partner(customer, seats.mine, legs)
    if partner is not None:
        with contextlib.suppress(SwitchRefused):  # three in a bridge, or it has just ended: he is sent all the same
            await door.ask("BlindTransfer", Channel=partner.channel, Context=SENT_ON, Exten=wish["to"])
            return
    await door.ask("Redirect", Channel=customer.channel, Context=SENT_ON, Exten=wish["to"], Priority=1)


def _partner(customer: Leg, mine: Leg | None, legs: Sequence[Leg]) -> Leg | None:
    """The agent's leg in one bridge with the customer's: by it the switch itself knows that it was a transfer."""
    inside = [leg for leg in legs if leg.bridge and leg.bridge == customer.bridge and leg is not customer]
    return inside[0] if len(inside) == 1 and mine in (None, inside[0]) else None


async def ask(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The customer hears music, and the agent is put through to whom he asks."""
    seats = Seats.of(legs, wish["agent"])
    mine, customer = _there(seats.mine), _there(seats.customer)
    if seats.asked is not None:
        raise CallMoved
    await _mark(door, mine, __CUSTOMER=customer.channel, __TARGET=wish["to"], __PUT_BY=wish["agent"])
    await _mark(door, customer, PUT_BY=wish["agent"], PERMITTED=wish["to"])
    await _redirect(door, (customer, "aside", "consult"), (mine, "consult", wish["to"]))


async def back(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """Whom he asked goes; the dial plan brings the agent back to his customer."""
    await door.ask("Hangup", Channel=_there(Seats.of(legs, wish["agent"]).asked).channel, Cause=HUNG_UP)


async def hand_over(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The agent goes; the dial plan brings his customer to whom he asked, as it does when he hangs up himself."""
    seats = Seats.of(legs, wish["agent"])
    _there(seats.asked)
    await door.ask("Hangup", Channel=_there(seats.mine).channel, Cause=HUNG_UP)


async def meet(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """All three in one room; who leaves it leaves the others talking."""
    seats = Seats.of(legs, wish["agent"])
    mine, customer, asked = _there(seats.mine), _there(seats.customer), _there(seats.asked)
    if asked.answered_at is None:
        raise CallMoved
    for leg in (mine, customer, asked):
        await _mark(door, leg, ROOM=wish["call_id"], CUSTOMER_LEG=customer.channel)
    await _redirect(door, (mine, "meet", "ours"), (asked, "meet", "ours"))
    await _redirect(door, (customer, "meet", "customer"))


async def park(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The customer hears music until somebody fetches him; the agent is free."""
    seats = Seats.of(legs, wish["agent"])
    customer = _there(seats.customer)
    await _mark(door, customer, PUT_BY=wish["agent"])
    await _redirect(door, (customer, "aside", "parked"))


async def fetch(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The parked customer rings at whoever fetches him."""
    await _redirect(door, (_there(outside_party(legs)), "fetch", wish["agent"]))


async def take_back(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The customer who is kept for this agent rings at his phone, which answers by itself."""
    await _redirect(door, (_there(outside_party(legs)), "back", wish["agent"]))


async def meet_again(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The agent whose phone went away is rung, and is with those he met; his page answers by itself."""
    inside = in_room(legs)
    customer = _there(next((leg for leg in inside if leg.agent is None), inside[0] if inside else None))
    await door.ask(
        "Originate",
        Channel=f"PJSIP/{wish['agent']}",
        ChannelId=wish["leg_id"],
        Context="meet",
        Exten="ours",
        Priority=1,
        Timeout=wish["ring_s"] * 1000,
        Async=True,
        Variable={
            "ROOM": wish["call_id"],
            "CUSTOMER_LEG": customer.channel,
            "PJSIP_HEADER(add,X-Callcenter-Kept)": wish["call_id"],
        },
    )


def in_room(legs: Sequence[Leg]) -> list[Leg]:
    """Those who still talk with each other, if there are two of them."""
    inside = [leg for leg in legs if leg.bridge and leg.ended_at is None]
    return inside if len(inside) > 1 and len({leg.bridge for leg in inside}) == 1 else []


async def let_go(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """The agent's legs, which nobody is at any more, go; his customer is kept."""
    await end(door, [leg.channel for leg in legs if leg.agent == wish["agent"]], PAGE_GONE)


async def dial(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """Ring the agent, then whom he calls; the dial plan has the one way out."""
    await door.ask(
        "Originate",
        Channel=f"PJSIP/{wish['agent']}",
        ChannelId=wish["call_id"],
        Context="dialling",
        Exten=wish["to"],
        Priority=1,
        CallerID=wish["to"],
        Timeout=wish["ring_s"] * 1000,
        Async=True,
    )


async def hear(door: Door, wish: dict[str, Any], legs: Sequence[Leg]) -> None:
    """Put who leads on an agent's call; with a channel of his that listens already, only change how."""
    whom = _there(next((leg for leg in reversed(legs) if leg.agent == wish["whom"]), None))
    if wish["channel"]:
        await door.ask("Redirect", Channel=wish["channel"], Context="hear", Exten=wish["mode"], Priority=1)
        return
    await door.ask(
        "Originate",
        Channel=f"PJSIP/{wish['agent']}",
        ChannelId=wish["own_call"],
        Context="hear",
        Exten=wish["mode"],
        Priority=1,
        CallerID=wish["whom"],
        Timeout=wish["ring_s"] * 1000,
        Async=True,
        Variable={"HEARD": whom.channel},
    )


async def _mark(door: Door, leg: Leg, **variables: str) -> None:
    for name, value in variables.items():
        await door.ask("Setvar", Channel=leg.channel, Variable=name, Value=value)


async def _redirect(door: Door, first: tuple[Leg, str, str], second: tuple[Leg, str, str] | None = None) -> None:
    """Both at one stroke, or the one would be hung up because the other left it."""
    leg, context, exten = first
    extra: dict[str, Any] = {}
    if second is not None:
        other, extra_context, extra_exten = second
        extra = {"ExtraChannel": other.channel, "ExtraContext": extra_context, "ExtraExten": extra_exten}
        extra["ExtraPriority"] = 1
    await door.ask("Redirect", Channel=leg.channel, Context=context, Exten=exten, Priority=1, **extra)


MOVES = {
    "hang_up": hang_up,
    "send_on": send_on,
    "ask": ask,
    "back": back,
    "hand_over": hand_over,
    "meet": meet,
    "park": park,
    "fetch": fetch,
    "take_back": take_back,
    "meet_again": meet_again,
    "let_go": let_go,
    "dial": dial,
    "hear": hear,
}
