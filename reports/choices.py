"""Why each agent of a queue was asked at one moment, or was not: from what was told of him, his phone and his pauses.

Pure. Who is idle, available and reachable is free; the switch asks the lowest penalty first and, among equals, by the
queue's strategy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callcenter.texts import marked as _
from cti.rows import Spell

WHY: dict[str, str] = {  # code: text; of those who were asked, of those who were free, of all others
    "only": _("asked: nobody else was free"),
    "all": _("asked: all %(free)s who were free are rung at once"),
    "level": _("asked: first by penalty %(penalty)s"),
    "longest": _("asked: free for %(idle_s)s, longest of %(free)s"),
    "turn": _("asked: his turn among %(free)s who were free, for %(idle_s)s"),
    "though": _("rung, though we saw him as: %(seen)s"),
    "free": _("free for %(idle_s)s"),
    "later_level": _("free, but asked later: penalty %(penalty)s"),
    "shorter": _("free, but only for %(idle_s)s"),
    "not_turn": _("free for %(idle_s)s; it was another's turn"),
    "offline": _("not asked: offline"),
    "unreachable": _("not asked: his phone was not reachable"),
    "talking": _("not asked: talking for %(idle_s)s"),
    "ringing": _("not asked: rung for another call"),
    "wrap_up": _("not asked: in wrap-up for %(idle_s)s"),
    "on_break": _("not asked: on break (%(reason)s) for %(idle_s)s"),
    "paused": _("not asked: paused at the switch (%(reason)s)"),
    "unknown": _("not asked: nothing was known of him yet"),
}
ASKED = frozenset({"only", "all", "level", "longest", "turn", "though"})
LIFTED_WITHIN = timedelta(seconds=5)
FREE = frozenset({"free", "later_level", "shorter", "not_turn"})


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A member of the queue just before the moment, as all that was told makes him."""

    agent: str
    penalty: int = 0
    status: str = ""  # empty: nothing was told of him yet
    reason: str = ""
    state: str = "idle"
    since: datetime | None = None  # in this status and state
    reachable: bool | None = None  # None: nobody told of his phone
    paused: str | None = None  # the switch's reason; None: not paused there

    @property
    def hindrance(self) -> str:
        """The code of what keeps him from being asked; empty when he is free."""
        if not self.status:
            return "unknown"
        if self.status == "offline":
            return "offline"
        if self.state != "idle":
            return self.state
        if self.status == "on_break":
            return "on_break"
        if self.reachable is False:
            return "unreachable"
        return "paused" if self.paused is not None else ""

    def free_s(self, at: datetime) -> int:
        return 0 if self.since is None else max(0, int((at - self.since).total_seconds()))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One agent at one moment, and why."""

    agent: str
    asked: bool
    code: str  # of WHY
    values: dict[str, Any]

    @property
    def free(self) -> bool:
        return self.code in FREE or (self.asked and self.code != "though")


def stood(spells: Sequence[Spell], at: datetime, call_id: str) -> Spell | None:
    """The agent's spell just before ``at``, not yet ringing for this call; ``spells`` are his, oldest first."""
    for spell in reversed(spells):
        if spell.started_at < at and not (spell.state == "ringing" and spell.call_id == call_id):
            return spell
    return None


def paused(told: Sequence[tuple[datetime, str | None]], at: datetime, since: datetime | None) -> str | None:
    """The reason of the switch's pause at this moment; ``told`` is when it paused him (reason) and when no more (None).

    A pause from before his spell counts only where the switch lifted it later: a place given anew is told of by nobody.
    """
    before = [one for one in told if one[0] < at]
    if not before or before[-1][1] is None:
        return None
    began, reason = before[-1]
    lifted = any(what is None and at <= when < at + LIFTED_WITHIN for when, what in told)
    return reason if lifted or (since is not None and began >= since) else None


def standing(spell: Spell | None, agent: str, penalty: int, reachable: bool | None, held: str | None) -> Standing:
    if spell is None:
        return Standing(agent=agent, penalty=penalty, reachable=reachable, paused=held)
    return Standing(
        agent=agent,
        penalty=penalty,
        status=spell.status,
        reason=spell.reason,
        state=spell.state,
        since=spell.started_at,
        reachable=reachable,
        paused=held,
    )


def choose(standings: Iterable[Standing], asked: Collection[str], strategy: str, at: datetime) -> list[Choice]:
    """Every member with his reason: those asked first, then the free, then the others."""
    members = sorted(standings, key=lambda one: (one.penalty, one.agent))
    free = [one for one in members if not one.hindrance]
    rung = [one for one in members if one.agent in asked]
    choices = [_choice(one, rung, free, strategy, at) for one in members]
    return sorted(choices, key=lambda choice: (not choice.asked, not choice.free))


def _choice(one: Standing, rung: Sequence[Standing], free: Sequence[Standing], strategy: str, at: datetime) -> Choice:
    hindrance, asked = one.hindrance, one in rung
    lowest = min((other.penalty for other in free), default=one.penalty)
    rivals = [other for other in free if other.penalty == lowest] if one.penalty == lowest else free
    if asked:
        code = "though" if hindrance else _why_asked(one, rung, free, rivals, strategy)
    else:
        code = hindrance or _why_not(one, rung)
    values: dict[str, Any] = {"idle_s": one.free_s(at), "penalty": one.penalty, "free": len(rivals)}
    if code in ("on_break", "paused"):
        values["reason"] = (one.reason if code == "on_break" else one.paused) or "break"
    if code == "though":
        values["seen"] = hindrance
    return Choice(agent=one.agent, asked=asked, code=code, values=values)


def _why_asked(
    one: Standing, rung: Sequence[Standing], free: Sequence[Standing], rivals: Sequence[Standing], strategy: str
) -> str:
    if len(free) == 1:
        return "only"
    if len(rivals) == 1:
        return "level"
    if len(rung) > 1 or strategy == "ringall":
        return "all"
    return "longest" if all(_longer(one, other) for other in rivals if other is not one) else "turn"


def _why_not(one: Standing, rung: Sequence[Standing]) -> str:
    if not rung:
        return "free"
    if all(one.penalty > other.penalty for other in rung):
        return "later_level"
    return "shorter" if all(one.penalty == other.penalty and _longer(other, one) for other in rung) else "not_turn"


def _longer(one: Standing, other: Standing) -> bool:
    return one.since is not None and other.since is not None and one.since < other.since
