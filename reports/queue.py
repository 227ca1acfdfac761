"""What is told of queues: every definition once, computed from tallies, explained wait by wait."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from operator import add
from typing import Any

from config.settings import ServiceLevels
from cti.tallies import SECOND_US, Spread, Tally, rank
from cti.waits import Wait
from reports.figures import Figure
from reports.terms import OF_WAIT, Rules, Share, Sum, of_tally, service_levels

Counted = Sequence[tuple[Tally, Rules]]
"""Tallies with the rules of their queue; of one queue there may be several, of several days."""


@dataclass
class Sums:
    """Tallies added up as far as figures need it; of each form of service level apart, since queues may differ."""

    by_form: dict[str, list[int]] = field(default_factory=dict)
    answered: list[Spread] = field(default_factory=list)
    longest_us: int = 0
    wait_us: int = 0
    talk_us: int = 0
    hold_us: int = 0
    wrap_us: int = 0

    @classmethod
    def of(cls, counted: Counted) -> Sums:
        sums = cls()
        for tally, rules in counted:
            counts = of_tally(tally, rules)
            held = sums.by_form.get(rules.form)
            sums.by_form[rules.form] = [*counts] if held is None else [*map(add, held, counts)]
            sums._take(tally, (tally.answered,))
        return sums

    @classmethod
    def together(cls, parts: Iterable[Sums]) -> Sums:
        sums = cls()
        for part in parts:
            for form, counts in part.by_form.items():
                held = sums.by_form.get(form)
                sums.by_form[form] = counts if held is None else [*map(add, held, counts)]
            sums._take(part, part.answered)
        return sums

    def _take(self, other: Sums | Tally, answered: Iterable[Spread]) -> None:
        self.answered += answered
        self.longest_us = max(self.longest_us, other.longest_us)
        self.wait_us += other.wait_us
        self.talk_us += other.talk_us
        self.hold_us += other.hold_us
        self.wrap_us += other.wrap_us

    @property
    def counts(self) -> list[int]:
        whole, *others = self.by_form.values()
        for other in others:
            whole = [*map(add, whole, other)]
        return whole


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How a figure is made; ``version`` rises with every change that can change a number."""

    name: str
    unit: str  # calls, share (0 to 1), s
    zh: str
    en: str
    says_zh: str = ""
    says_en: str = ""
    version: int
    count: Sum | None = None
    shares: Mapping[str, Share] | None = None  # one, or by the queues' forms
    seconds: Callable[[Sums], int] | None = None  # microseconds, shared out among ``count``
    measure: Callable[[Sums], float | None] | None = None

    def value(self, sums: Sums, counts: Sequence[int]) -> float | None:
        """``counts``: the sums' own, asked for once for all figures."""
        if self.measure is not None:
            return self.measure(sums)
        if self.shares is not None:
            if "" in self.shares:
                above, below = self.shares[""].above.of(counts), self.shares[""].below.of(counts)
            else:
                above = sum(self.shares[form].above.of(own) for form, own in sums.by_form.items())
                below = sum(self.shares[form].below.of(own) for form, own in sums.by_form.items())
            return above / below if below else None
        assert self.count is not None
        count = self.count.of(counts)
        if self.seconds is None:
            return count
        return self.seconds(sums) / SECOND_US / count if count else None

    def share(self, rules: Rules) -> Share:
        assert self.shares is not None
        return self.shares.get(rules.form) or self.shares[""]

    @property
    def splits(self) -> bool:
        """Some of its waits count as met, others do not."""
        return self.shares is not None

    def behind(self, wait: Wait, rules: Rules) -> bool | None:
        """None: the wait has no part in the figure; else whether it counts (of a share: as met)."""
        if self.shares is not None:
            share = self.share(rules)
            met = share.above.of_wait(wait, rules) > 0
            return met if met or share.below.of_wait(wait, rules) > 0 else None
        assert self.count is not None
        return True if self.count.of_wait(wait, rules) > 0 else None

    def told(self, rules: Collection[Rules]) -> dict[str, Any]:
        """What a figure says beside its value, for queues of these rules."""
        forms = {self.share(own).said for own in rules} if self.shares is not None else set()
        said = "" if len(forms) > 1 else next(iter(forms), "")
        thresholds = [own.thresholds for own in rules]
        alike = thresholds[0] if thresholds and all(one == thresholds[0] for one in thresholds) else {}
        return {
            "name": self.name,
            "unit": self.unit,
            "zh": self.zh,
            "en": self.en,
            "formula_zh": "：".join(filter(None, (said or ("各队列各按其定义" if forms else ""), self.says_zh))),
            "formula_en": ": ".join(filter(None, (said or ("each queue by its own" if forms else ""), self.says_en))),
            "definition_version": self.version,
            "queue_version": next(iter(rules)).version or None if len(rules) == 1 else None,
            "thresholds": alike,
        }


def figures(
    sums: Sums, rules: Iterable[Rules], levels: ServiceLevels, names: Iterable[str] | None = None
) -> list[Figure]:
    """Every figure, in the order of a report, or those named; ``rules``: of the queues that are in the sums."""
    known = definitions(levels)
    told = _told(frozenset(rules), levels)
    counts = sums.counts if sums.by_form else [0] * len(OF_WAIT)
    return [Figure(value=known[name].value(sums, counts), **told[name]) for name in (known if names is None else names)]


@lru_cache(maxsize=256)
def _told(rules: frozenset[Rules], levels: ServiceLevels) -> dict[str, dict[str, Any]]:
    return {name: definition.told(rules) for name, definition in definitions(levels).items()}


def _count(name: str, zh: str, en: str, symbol: str, says_zh: str, says_en: str, version: int = 1) -> Definition:
    return Definition(
        name=name,
        unit="calls",
        zh=zh,
        en=en,
        says_zh=f"{symbol}：{says_zh}",
        says_en=f"{symbol}: {says_en}",
        version=version,
        count=Sum.read(symbol),
    )


def _share(
    name: str, zh: str, en: str, share: Share, says_zh: str = "", says_en: str = "", version: int = 1
) -> Definition:
    return Definition(
        name=name,
        unit="share",
        zh=zh,
        en=en,
        says_zh=says_zh,
        says_en=says_en,
        version=version,
        shares={"": share},
    )


def _mean(
    name: str,
    zh: str,
    en: str,
    of: Callable[[Sums], int],
    among: str,
    says_zh: str,
    says_en: str,
    version: int = 1,
) -> Definition:
    return Definition(
        name=name,
        unit="s",
        zh=zh,
        en=en,
        says_zh=says_zh,
        says_en=says_en,
        version=version,
        seconds=of,
        count=Sum.read(among),
    )


def _percentile(percent: int) -> Definition:
    return Definition(
        name=f"wait_p{percent}",
        unit="s",
        zh=f"等待 {percent} 分位",
        en=f"Wait, {percent} in 100",
        says_zh=f"{percent}% 已接听来话的等待不超过此值（最近秩，秒向上取整）",
        says_en=f"{percent} in 100 of the answered waited no longer (nearest rank, seconds rounded up)",
        version=2,
        measure=lambda sums: rank(sums.answered, percent / 100),
        count=Sum.read("A"),
    )


_LEVELS_SAY = {
    "sl1": ("Asterisk 的 SL，只看已接听", "Asterisk's SL: of the answered only"),
    "sl2": ("Asterisk 的 SL2，T 秒内放弃也算达标", "Asterisk's SL2: abandoning within T counts as met"),
    "sl3": ("放弃均计为未达标，溢出不计", "abandons are not met, those who left otherwise do not count"),
    "sl4": ("T 秒内的放弃不计", "abandons within T do not count"),
    "sl5": ("Genesys Cloud 的口径，开关见设置", "Genesys Cloud's, with its switches in the settings"),
    "sl6": ("RingCentral 的口径，不足 c 秒的放弃不计", "RingCentral's: abandons sooner than c s do not count"),
    "sl7": ("Amazon Connect 的口径，T 秒内离开队列即达标", "Amazon Connect's: out of the queue within T, however"),
    "sl8": (
        "T 秒内接听；溢出与超过 s 秒的放弃均计为未达标，尚在 T 秒内等待的不计",
        "answered within T; those who left otherwise and late abandons are not met, who waits less than T so far is "
        "not counted yet",
    ),
}


@cache
def definitions(levels: ServiceLevels) -> dict[str, Definition]:
    """All of them by name, in the order of a report."""
    forms = service_levels(levels)
    handled: dict[str, Callable[[Sums], int]] = {
        "aht": lambda sums: sums.talk_us + sums.hold_us + sums.wrap_us,
        "talk": lambda sums: sums.talk_us,
        "hold": lambda sums: sums.hold_us,
        "acw": lambda sums: sums.wrap_us,
    }
    over = ("A_over：全部结束的接听来话", "A_over: answered calls of which all of it is over")
    found = [
        _count(
            "offered",
            "来话量",
            "Offered",
            "O",
            "进入队列的次数；再次排队再计一次",
            "how often a queue was joined; again counts again",
        ),
        _count("answered", "接听量", "Answered", "A", "由座席接听", "answered by an agent"),
        _count(
            "abandoned",
            "放弃量",
            "Abandoned",
            "B",
            "排队中主叫挂机，含短时放弃",
            "the caller hung up in the queue, short abandons included",
        ),
        _count(
            "short_abandons",
            "短时放弃",
            "Short abandons",
            "B_s",
            "等待不足 s 秒即挂机",
            "hung up after waiting less than s seconds",
        ),
        _count(
            "flow_outs",
            "溢出量",
            "Left otherwise",
            "F",
            "未接听也未挂机而离开队列（超时、按键、转出、交换机重启）",
            "left unanswered without hanging up (time-out, key, transfer, switch restarted)",
        ),
        _count(
            "timeouts",
            "排队超时",
            "Queue time-outs",
            "F_time",
            "F 中因等待达到上限而离开的",
            "those of F who had waited as long as the queue allows",
        ),
        _count("waiting", "正在排队", "Waiting now", "W", "W = O − A − B − F", "W = O − A − B − F"),
        Definition(
            name="service_level",
            unit="share",
            zh="服务水平",
            en="Service level",
            version=2,
            shares=forms,
        ),
        _share("abandon_rate", "放弃率", "Abandon rate", Share.read("B − B_s", "O − B_s − W")),
        _share("abandon_rate_gross", "放弃率（含短时）", "Abandon rate, short ones too", Share.read("B", "O − W")),
        _mean(
            "asa",
            "平均应答速度",
            "Average speed of answer",
            lambda sums: sums.wait_us,
            "A",
            "已接听来话的排队时长（含振铃）之和 / A",
            "time in queue, ringing included, of the answered / A",
        ),
        *map(_percentile, (50, 90, 95)),
        Definition(
            name="longest_wait",
            unit="s",
            zh="最长等待",
            en="Longest wait",
            says_zh="所有进入队列者中的最长等待，含正在排队者，秒向上取整",
            says_en="of all who joined, those still waiting included, seconds rounded up",
            version=2,
            measure=lambda sums: -(-sums.longest_us // SECOND_US) if sums.by_form and sums.counts[0] else None,
            count=Sum.read("O"),
        ),
        _mean(
            "aht",
            "平均处理时长",
            "Average handling time",
            handled["aht"],
            "A_over",
            f"（通话 + 保持 + 话后处理）/ A_over；{over[0]}",
            f"(talk + hold + wrap-up) / A_over; {over[1]}",
            2,
        ),
        _mean(
            "talk",
            "平均通话",
            "Average talk",
            handled["talk"],
            "A_over",
            "通话 / A_over，不含保持",
            "talk / A_over, hold not included",
        ),
        _mean("hold", "平均保持", "Average hold", handled["hold"], "A_over", "保持 / A_over", "hold / A_over"),
        _mean(
            "acw",
            "平均话后处理",
            "Average wrap-up (ACW)",
            handled["acw"],
            "A_over",
            "挂机后至结束整理 / A_over",
            "from hang-up until the agent is done / A_over",
        ),
        _share(
            "transfer_rate",
            "转接率",
            "Transfer rate",
            Share.read("X", "A"),
            "X：至少转接一次的来话，计于其首次接听",
            "X: calls passed on at least once, told of their first answer",
        ),
        _share(
            "rona",
            "振铃未接率",
            "Rung, not answered (RONA)",
            Share.read("R_missed", "R_missed + R_taken"),
            "R：为来话振铃座席的次数，主叫先挂机的不计",
            "R: agents rung for a caller; those he ended himself do not count",
        ),
        *(
            _share(name, f"服务水平 {name.upper()}", f"Service level {name.upper()}", share, *_LEVELS_SAY[name])
            for name, share in forms.items()
        ),
    ]
    return {definition.name: definition for definition in found}
