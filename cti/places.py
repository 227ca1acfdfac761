"""Agents' places in the switch's queues: as declared in our rows, as found there, and the actions between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from config.people import QueueMember, User
from cti.rows import Agent
from cti.wire import Field, Message


@dataclass(frozen=True)
class Place:
    """One agent's place in one queue, as wished or as found."""

    penalty: int = 0
    paused: bool = False
    reason: str = ""  # of the pause


Places = Mapping[tuple[str, str], Place]
"""(queue, interface) → the place there."""


@dataclass(frozen=True)
class Step:
    """One action on the switch, and the place it leaves behind (None: none)."""

    action: str
    queue: str
    interface: str
    leaves: Place | None
    fields: Mapping[str, Any] = field(compare=False)


def wished(status: str, status_reason: str, state: str, reachable: bool, penalty: int) -> Place | None:
    """The place of a declared member; None where he should have none: logged out, or no phone to ring.

    A pause for wrap-up begins with the talk, so that the switch cannot ring him in the moment of hanging up.
    """
    if status == "offline" or not reachable:
        return None
    if status == "on_break":
        return Place(penalty, True, status_reason or "break")
    if state in ("talking", "wrap_up"):
        return Place(penalty, True, "wrap-up")
    return Place(penalty)


def repairs(wish: Places, found: Places) -> list[Step]:
    """What turns the places found into those wished; empty if nothing is to be done."""
    steps: list[Step] = []
    for queue, interface in sorted(found.keys() - wish.keys()):
        steps.append(_step("QueueRemove", queue, interface, None))
    for (queue, interface), place in sorted(wish.items()):
        there = found.get((queue, interface))
        if there is None:
            there = Place(place.penalty, place.paused)
            told: dict[str, Field] = {"Penalty": place.penalty, "Paused": place.paused}
            name = interface.rpartition("/")[2]
            steps.append(_step("QueueAdd", queue, interface, there, MemberName=name, **told))
        if there.penalty != place.penalty:
            there = Place(place.penalty, there.paused, there.reason)
            steps.append(_step("QueuePenalty", queue, interface, there, Penalty=place.penalty))
        if there != place:
            reason = place.reason if place.paused else None
            steps.append(_step("QueuePause", queue, interface, place, Paused=place.paused, Reason=reason))
    return steps


def _step(action: str, queue: str, interface: str, leaves: Place | None, **fields: Field) -> Step:
    return Step(action, queue, interface, leaves, {"Queue": queue, "Interface": interface, **fields})


def found_places(status: Iterable[Message], queues: Collection[str]) -> dict[tuple[str, str], Place]:
    """The dynamic members in a QueueStatus of the queues that are ours; those of its files are not ours to move."""
    return {
        (member["Queue"], member["Location"]): Place(
            int(member["Penalty"]), member["Paused"] == "1", member["PausedReason"] if member["Paused"] == "1" else ""
        )
        for member in status
        if member["Event"] == "QueueMember" and member["Membership"] == "dynamic" and member["Queue"] in queues
    }


# Built once: it is asked whenever an agent's state changes.
_DECLARED = (
    select(QueueMember.queue, QueueMember.extension, QueueMember.penalty)
    .add_columns(Agent.status, Agent.status_reason, Agent.state, Agent.reachable)
    .join(Agent, Agent.extension == QueueMember.extension)
    .join(User, User.extension == QueueMember.extension)
    .where(User.active)
)
_DECLARED_FOR = _DECLARED.where(QueueMember.extension.in_(bindparam("extensions", expanding=True)))


def wished_places(db: Session, extensions: Collection[str] | None = None) -> dict[tuple[str, str], Place]:
    """What our rows declare, for these agents or for all."""
    asked = (_DECLARED,) if extensions is None else (_DECLARED_FOR, {"extensions": list(extensions)})
    places = {
        (queue, interface_of(extension)): wished(status, reason, state, reachable, penalty)
        for queue, extension, penalty, status, reason, state, reachable in db.execute(*asked)
    }
    return {key: place for key, place in places.items() if place is not None}


def interface_of(extension: str) -> str:
    return f"PJSIP/{extension}"
