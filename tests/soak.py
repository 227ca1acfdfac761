"""Thousands of real calls with every ending, while whatever can break breaks; then the books are compared.

``python -m tests.soak --calls 2000 --seed 7``: a switch of its own, our processes as in production, callers and agents
on telephones. It ends with 0 if our rows, the switch's logs, the recordings and somebody else's count agree.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.database import now
from callcenter.jobs import Job
from config.settings import ServiceLevels
from cti.projection import rebuild
from cti.resync import LogFiles
from cti.rows import Call, Offer
from cti.tail import whole
from reports import nightly, reconcile, today
from reports.reconcile import Account, Difference
from tests import independent
from tests.dumps import dump
from tests.ours import Ours
from tests.rush import PHONES, WAVE_S, Rush, serve_all
from tests.waiting import wait_until


@dataclass
class Outcome:
    """What was compared, and what differed."""

    account: Account
    others: list[str]  # differences of the independent count
    rebuilt: list[str]  # tables that another telling of the ledger makes otherwise
    outcomes: Counter[str]
    breaches: list[str]
    holes: int  # recordings a switch that stood still did not write through: found, as they must be
    placed: int
    faults: Counter[str]
    took_s: float

    @property
    def whole(self) -> bool:
        return not (self.account.differences or self.others or self.rebuilt)

    def told(self) -> str:
        return "\n".join(
            [
                f"{self.placed} calls placed in {self.took_s:.0f} s; {self.account.calls} reached the switch",
                f"endings: {_counted(self.outcomes)}",
                f"faults: {_counted(self.faults)}",
                f"reconcile: {self.account.calls} calls, {self.account.waits} waits, {self.account.recordings} "
                f"recordings; {len(self.account.differences)} differences",
                *(f"  {one}" for one in self.account.differences),
                f"  beside {self.holes} recordings with a hole where the switch stood still, each found",
                f"independent count of queue_log: {len(self.others)} differences",
                *(f"  {one}" for one in self.others),
                f"rebuilt from the ledger: {len(self.rebuilt)} differences",
                *(f"  {one}" for one in self.rebuilt),
                f"invariants that stood broken for two looks: {len(self.breaches)}",
                *(f"  {one}" for one in self.breaches),
            ]
        )


def _counted(of: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in of.most_common())


# --- one run ------------------------------------------------------------------------------------------------------


def soak(
    calls: int,
    seed: int,
    per_s: float,
    *,
    switch_deaths: int = 2,
    fault_every_s: tuple[float, float] = (3.0, 9.0),
    tolerance_ms: int = 2500,
    short: bool = False,
    say: Callable[[str], None] = lambda _: None,
    keep: Path | None = None,
) -> Outcome:
    """Place so many calls while things break, let all of it end, and compare.

    ``tolerance_ms`` is what a recording may lack: telephones on a busy machine send late, or not at all, for a second
    or two, and a switch writes no sound that never came. ``short`` leaves out the faults that take long to be noticed
    or made good.
    """
    with ExitStack() as stack:
        switch = serve_all(tolerance_ms)
        ours = Ours(switch, tuple(PHONES))
        stack.callback(ours.close)
        for part in ("cti", "ivr", "worker"):
            ours.start(part)
        wait_until(lambda: ours.watched() and ours.members(), 60, "the agents are in the queue")
        run = Rush(ours, random.Random(seed), per_s, short)
        for extension, does in PHONES.items():
            stack.enter_context(switch.desk(extension, calls=100_000, seconds=3600, **does))
        began = time.monotonic()
        _place(run, calls, switch_deaths, fault_every_s, say)
        stack.callback(lambda: [person.stop() for person in run.people])
        wait_until(lambda: not run.someone_calls(), 120, "every caller is through")
        took_s = time.monotonic() - began
        whole = False
        try:
            outcome = _compare(run, took_s)
            whole = outcome.whole
        finally:
            if keep is not None and not whole:
                left_out = shutil.ignore_patterns("asterisk", "*.ulaw", "*.ctl", "sounds", "people")
                shutil.copytree(switch.home, keep, ignore=left_out, dirs_exist_ok=True)
        return outcome


def _place(run: Rush, calls: int, deaths: int, every_s: tuple[float, float], say: Callable[[str], None]) -> None:
    """Callers come wave by wave whatever happens; the faults one after another beside them."""
    die_at = [round(calls * (n + 1) / (deaths + 1)) for n in range(deaths)]
    next_wave = next_fault = time.monotonic()
    next_fault += run.luck.uniform(*every_s)
    while run.placed < calls:
        if time.monotonic() >= next_wave:
            run.call(calls - run.placed)
            run.back_to_work()
            run.someone_calls()
            next_wave += WAVE_S
            say(f"{run.placed} calls, {sum(run.faults.values())} faults, live {len(run.ours.states())}")
        if time.monotonic() >= next_fault:
            dies = bool(die_at) and run.placed >= die_at[0]
            if dies:
                die_at.pop(0)
            run.break_something(dies)
            next_fault = time.monotonic() + run.luck.uniform(*every_s)
        run.pause(0.05, 0.1)


def _compare(run: Rush, took_s: float) -> Outcome:
    ours = run.ours
    wait_until(ours.watched, 30, "the switch is watched")
    ours.switch.process.cli("channel request hangup all")  # of those whose telephone died
    wait_until(lambda: not ours.switch.channels(), 30, "every channel is gone")
    wait_until(lambda: not ours.states(), 30, f"every call is over; {ours.states()}")
    ended = time.monotonic() + reconcile.FRESH.total_seconds() + 1
    wait_until(lambda: time.monotonic() > ended, 30)
    wait_until(lambda: not _waiting_jobs(ours), 200, "every recording is on record")
    settings = ours.switch.settings
    with ours.database.read() as db:
        local = now().astimezone(settings.centre.zone).date()
        account = nightly.of_day(db, settings, local, now())
        outcomes = Counter(db.scalars(select(Call.outcome)))
        holes = [one for one in account.differences if one.what == "recording" and _stood_still(db, run, one)]
        account.differences = [one for one in account.differences if one not in holes]
    log = ours.output.read_text(errors="replace")
    breaches = [line for line in log.splitlines() if "not as it must be" in line]
    others = someone_elses_count(ours)
    ours.kill()  # so that nothing is told while the rows are made again
    rows = dump(ours.database)
    rebuild(ours.database)
    again = dump(ours.database)
    rebuilt = [
        f"{table}: {one} and {two}"
        for table in rows
        for one, two in zip(rows[table], again[table], strict=False)
        if one != two
    ]
    rebuilt += [
        f"{table}: {len(rows[table])} rows and {len(again[table])}"
        for table in rows
        if len(rows[table]) != len(again[table])
    ]
    return Outcome(account, others, rebuilt, outcomes, breaches, len(holes), run.placed, run.faults, took_s)


def _stood_still(db: Session, run: Rush, one: Difference) -> bool:
    """A switch that stands still hears nothing: its recordings lack just that, and reconcile must say so."""
    if not one.theirs.endswith(" s"):
        return False
    call = db.get_one(Call, one.call_id)
    lack_s = float(one.ours.split()[0]) - float(one.theirs.split()[0])
    missed_s = sum(
        max(0.0, (min(end, call.ended_at or end) - max(begin, call.started_at)).total_seconds())
        for begin, end in run.stops
    )
    return missed_s > 0 and lack_s < missed_s + 2.0


def _waiting_jobs(ours: Ours) -> int:
    with ours.database.read() as db:
        due = select(func.count()).select_from(Job).where(Job.kind == "recording")
        return db.scalar(due.where(Job.state.in_(("waiting", "running")))) or 0


def someone_elses_count(ours: Ours) -> list[str]:
    """Where our figures of the day are not those of somebody who only reads queue_log."""
    settings = ours.switch.settings
    files = LogFiles(settings.switch_home / "log", str, "zh")
    theirs = independent.figures("\n".join(whole(files.paths["queue_log"])))
    found = []
    with ours.database.read() as db:
        levels = ServiceLevels(form="sl3")
        told = today.by_queue(db, settings.centre.zone, now() + timedelta(seconds=1), levels)
        for queue, other in theirs.items():
            said = {figure.name: figure.value for figure in told[queue]}
            for name in ("offered", "answered", "abandoned", "flow_outs"):
                if said[name] != getattr(other, name):
                    found.append(f"{queue} {name}: ours {said[name]}, theirs {getattr(other, name)}")
            for name, value in (("asa", other.asa), ("service_level", other.sl3)):
                mine = said[name]
                off = 1.0 if name == "asa" else 0.001  # the log has whole seconds
                if (mine is None) != (value is None) or abs((mine or 0) - (value or 0)) > off:
                    found.append(f"{queue} {name}: ours {mine}, theirs {value}")
        missed = Counter(db.scalars(select(Offer.queue).where(Offer.outcome == "missed")))
        for queue, other in theirs.items():
            if not other.missed - other.perhaps_cut <= missed[queue] <= other.missed:
                found.append(
                    f"{queue} missed: ours {missed[queue]}, theirs {other.missed}, of it {other.perhaps_cut} cut"
                )
        taken = Counter(db.scalars(select(Offer.agent).where(Offer.outcome == "answered")))
    by_agent = sum((other.answered_by for other in theirs.values()), Counter())
    if taken != by_agent:
        found.append(f"answered by agent: ours {taken}, theirs {by_agent}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-s", type=float, default=6.0, help="callers a second")
    parser.add_argument("--tolerance-ms", type=int, default=2500, help="what a recording may lack")
    parser.add_argument("--switch-deaths", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="where logs and rows are put if something differs")
    given = parser.parse_args()

    def say(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    more = {"switch_deaths": given.switch_deaths, "tolerance_ms": given.tolerance_ms, "keep": given.keep}
    outcome = soak(given.calls, given.seed, given.per_s, say=say, **more)
    sys.stdout.write(outcome.told() + "\n")
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    sys.exit(main())
