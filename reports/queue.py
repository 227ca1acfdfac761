"""How queues did in a period: every time somebody joined a queue is counted once, on the day he joined.

The symbols of the formulas: O offered, A answered, B abandoned, F left otherwise, W waiting still; A_T answered
within the target T, B_s abandoned within s of joining, W_T waiting still but not longer than T. O = A + B + F + W.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.queues import Queue
from cti.rows import Segment, Spell
from reports.figures import Definition, Figure, longest, mean, share_below
from reports.periods import Period

_BEGUN_BEFORE = timedelta(hours=36)  # a call's talk is looked for so long after it joined the queue


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One caller in one queue, from joining to leaving, with the thresholds of that queue."""

    call_id: str
    queue: str
    joined_at: datetime
    wait_s: float  # up to now while he waits
    outcome: str  # "" while he waits; answered, abandoned, timeout, exit …
    target_s: float
    short_abandon_s: float
    handled_s: float | None = None  # talk, hold and wrap-up, once all of it is over

    @property
    def waiting(self) -> bool:
        return not self.outcome

    @property
    def answered(self) -> bool:
        return self.outcome == "answered"

    @property
    def abandoned(self) -> bool:
        return self.outcome == "abandoned"

    @property
    def short_abandon(self) -> bool:
        return self.abandoned and self.wait_s < self.short_abandon_s

    @property
    def in_time(self) -> bool:
        return self.answered and self.wait_s <= self.target_s

    @property
    def undecided(self) -> bool:
        """He waits, and may still be answered in time."""
        return self.waiting and self.wait_s <= self.target_s


def waits(db: Session, period: Period, now: datetime, queue: str | None = None) -> list[Wait]:
    """Who joined a queue in the period, in the order of joining; ``queue`` keeps one queue's."""
    columns = (Segment.call_id, Segment.queue, Segment.started_at, Segment.ended_at, Segment.outcome)
    joined = (
        select(*columns)
        .where(Segment.kind == "queue", Segment.started_at >= period.start, Segment.started_at < period.end)
        .order_by(Segment.started_at, Segment.call_id, Segment.no)
    )
    if queue is not None:
        joined = joined.where(Segment.queue == queue)
    settings = {row.name: row for row in db.scalars(select(Queue))}
    found = []
    for call_id, name, started_at, ended_at, outcome in db.execute(joined):
        own = settings.get(name or "") or Queue(target_s=20, short_abandon_s=5)  # a queue deleted since: the usual ones
        found.append(
            Wait(
                call_id=call_id,
                queue=name or "",
                joined_at=started_at,
                wait_s=((ended_at or now) - started_at).total_seconds(),
                outcome="" if ended_at is None else outcome or "other",
                target_s=own.target_s,
                short_abandon_s=own.short_abandon_s,
            )
        )
    handled = _handled(db, period)
    for index in range(len(found) - 1, -1, -1):  # of two answers to one call in one queue the last has it all
        wait = found[index]
        if wait.answered:
            found[index] = replace(wait, handled_s=handled.pop((wait.call_id, wait.queue), None))
    return found


def _handled(db: Session, period: Period) -> dict[tuple[str, str], float]:
    """Seconds of talk, hold and wrap-up by call and queue, where none of them goes on."""
    until = period.end + _BEGUN_BEFORE
    parts: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    talked = select(Segment.call_id, Segment.queue, Segment.started_at, Segment.ended_at).where(
        Segment.kind.in_(("talk", "hold")), Segment.started_at >= period.start, Segment.started_at < until
    )
    wrapped = select(Spell.call_id, Spell.queue, Spell.started_at, Spell.ended_at).where(
        Spell.state == "wrap_up", Spell.started_at >= period.start, Spell.started_at < until
    )
    for rows in (talked, wrapped):
        for call_id, queue, started_at, ended_at in db.execute(rows):
            length = None if ended_at is None else (ended_at - started_at).total_seconds()
            parts[call_id or "", queue or ""].append(length)
    return {key: sum(filter(None, lengths)) for key, lengths in parts.items() if None not in lengths}


def figures(rows: Sequence[Wait], thresholds: Mapping[str, float] | None = None) -> list[Figure]:
    """Every figure over these rows, in the order of a report."""
    return [definition.figure(rows, thresholds) for definition in DEFINITIONS.values()]


def behind(rows: Sequence[Wait], name: str) -> list[tuple[Wait, bool]]:
    """The rows behind a figure, with whether each counts above the line; KeyError for a figure nobody defined."""
    definition = DEFINITIONS[name]
    below = definition.of or definition.counts
    return [(row, definition.counts(row)) for row in rows if below(row) or definition.counts(row)]


DEFINITIONS: dict[str, Definition[Wait]] = {
    definition.name: definition
    for definition in (
        Definition[Wait](
            name="offered",
            unit="calls",
            zh="来话量",
            en="Offered",
            formula_zh="O：当日进入队列的次数；再次排队再计一次",
            formula_en="O: how often a queue was joined that day; joining again counts again",
            version=1,
            counts=lambda wait: True,
        ),
        Definition[Wait](
            name="answered",
            unit="calls",
            zh="接听量",
            en="Answered",
            formula_zh="A：由座席接听",
            formula_en="A: answered by an agent",
            version=1,
            counts=lambda wait: wait.answered,
        ),
        Definition[Wait](
            name="abandoned",
            unit="calls",
            zh="放弃量",
            en="Abandoned",
            formula_zh="B：排队中主叫挂机，含短时放弃",
            formula_en="B: the caller hung up in the queue, short abandons included",
            version=1,
            counts=lambda wait: wait.abandoned,
        ),
        Definition[Wait](
            name="short_abandons",
            unit="calls",
            zh="短时放弃",
            en="Short abandons",
            formula_zh="B_s：等待不足 s 秒即挂机",
            formula_en="B_s: hung up after waiting less than s seconds",
            version=1,
            counts=lambda wait: wait.short_abandon,
        ),
        Definition[Wait](
            name="flow_outs",
            unit="calls",
            zh="溢出量",
            en="Left otherwise",
            formula_zh="F：未接听也未挂机而离开队列（超时、按键、转出、交换机重启）",
            formula_en="F: left unanswered without hanging up (time-out, key, transfer, switch restarted)",
            version=1,
            counts=lambda wait: not (wait.waiting or wait.answered or wait.abandoned),
        ),
        Definition[Wait](
            name="waiting",
            unit="calls",
            zh="正在排队",
            en="Waiting now",
            formula_zh="W = O − A − B − F",
            formula_en="W = O − A − B − F",
            version=1,
            counts=lambda wait: wait.waiting,
        ),
        Definition[Wait](
            name="service_level",
            unit="share",
            zh="服务水平（严格）",
            en="Service level (strict)",
            formula_zh="A_T /（O − B_s − W_T）：T 秒内接听；溢出与超过 s 秒的放弃均计为未达标，尚在 T 秒内等待的不计",
            formula_en=(
                "A_T / (O − B_s − W_T): answered within T s; those who left otherwise and late abandons are failures, "
                "those who have waited less than T so far not yet"
            ),
            version=1,
            counts=lambda wait: wait.in_time,
            of=lambda wait: not (wait.short_abandon or wait.undecided),
        ),
        Definition[Wait](
            name="service_level_sl3",
            unit="share",
            zh="服务水平（SL3）",
            en="Service level (SL3)",
            formula_zh="A_T /（A + B）",
            formula_en="A_T / (A + B)",
            version=1,
            counts=lambda wait: wait.in_time,
            of=lambda wait: wait.answered or wait.abandoned,
        ),
        Definition[Wait](
            name="abandon_rate",
            unit="share",
            zh="放弃率",
            en="Abandon rate",
            formula_zh="（B − B_s）/（O − B_s − W）",
            formula_en="(B − B_s) / (O − B_s − W)",
            version=1,
            counts=lambda wait: wait.abandoned and not wait.short_abandon,
            of=lambda wait: not (wait.short_abandon or wait.waiting),
        ),
        Definition[Wait](
            name="asa",
            unit="s",
            zh="平均应答速度",
            en="Average speed of answer",
            formula_zh="已接听来话的排队时长（含振铃）之和 / A",
            formula_en="time in queue, ringing included, of the answered / A",
            version=1,
            counts=lambda wait: wait.answered,
            measure=lambda wait: wait.wait_s,
            take=mean,
        ),
        Definition[Wait](
            name="wait_p50",
            unit="s",
            zh="等待中位数",
            en="Wait, half",
            formula_zh="半数已接听来话的等待不超过此值（最近秩）",
            formula_en="half of the answered waited no longer (nearest rank)",
            version=1,
            counts=lambda wait: wait.answered,
            measure=lambda wait: wait.wait_s,
            take=share_below(0.5),
        ),
        Definition[Wait](
            name="wait_p90",
            unit="s",
            zh="等待 90 分位",
            en="Wait, nine in ten",
            formula_zh="九成已接听来话的等待不超过此值（最近秩）",
            formula_en="nine in ten of the answered waited no longer (nearest rank)",
            version=1,
            counts=lambda wait: wait.answered,
            measure=lambda wait: wait.wait_s,
            take=share_below(0.9),
        ),
        Definition[Wait](
            name="longest_wait",
            unit="s",
            zh="最长等待",
            en="Longest wait",
            formula_zh="所有进入队列者中的最长等待，含正在排队者",
            formula_en="of all who joined, those still waiting included",
            version=1,
            counts=lambda wait: True,
            measure=lambda wait: wait.wait_s,
            take=longest,
        ),
        Definition[Wait](
            name="aht",
            unit="s",
            zh="平均处理时长",
            en="Average handling time",
            formula_zh="（通话 + 保持 + 话后处理）/ 已全部结束的接听来话",
            formula_en="(talk + hold + wrap-up) / answered calls of which all of it is over",
            version=1,
            counts=lambda wait: wait.handled_s is not None,
            measure=lambda wait: wait.handled_s or 0.0,
            take=mean,
        ),
    )
}
