"""Facts on their way into the database: one transaction per batch, publish after commit, on disk while it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from callcenter.bus import Bus
from callcenter.database import Database, now
from callcenter.events import Event, Fact
from callcenter.nudges import SwitchChanged
from cti import invariants, logs, resync, tail
from cti.projection import recognise, record
from cti.spool import Spool

log = logging.getLogger(__name__)

AGAIN_S = 1.0  # between two tries at a database, or a switch, that does not answer
OVERLAP_S = 10.0  # for so long after a connect the link may tell what the logs have told
# The database's fault, not the fact's: gone, only to be read since a failover, without our tables or our rights.
AWAY = (OperationalError, InterfaceError, InternalError, ProgrammingError, PoolTimeout)


class Store:
    """Facts on their way into the database; on disk while it is away. Runs in threads, one call at a time."""

    def __init__(self, database: Database, bus: Bus, spool: Spool, files: resync.LogFiles | None = None) -> None:
        self.fault = ""  # why facts lie on disk
        self._files = files
        self._ends: dict[str, tail.Place] = {}  # of the logs, a while ago
        self._told = logs.Told([])  # by the logs of the last moments
        self._told_until = 0.0  # monotonic
        self._database = database
        self._bus = bus
        self._spool = spool
        self._again_at = 0.0

    def __len__(self) -> int:
        return len(self._spool)

    @property
    def behind(self) -> bool:
        """Facts on disk wait for the database."""
        return len(self._spool) > 0

    def keep(self, facts: Sequence[Fact], source: str) -> None:
        """Record the facts behind those that wait; loses none."""
        if self.behind and (time.monotonic() < self._again_at or not self._told_again()):
            self._put_by(facts, source)
            return
        try:
            self._record(facts, source)
        except AWAY as fault:
            self._away(fault)
            self._put_by(facts, source)
        except Exception:
            log.exception("intake: a batch of %s facts failed; they are tried one by one", len(facts))
            self._one_by_one(facts, source)

    def catch_up(
        self,
        sight: resync.Sight,
        switch: str,
        booted_at: datetime | None,
        told: set[str],
        until: datetime,
        waiting: Sequence[Fact],
    ) -> bool:
        """Bring the rows to what the logs tell and the switch has; False if the database was away."""
        try:
            with self._transaction() as (db, events):
                gap = resync.catch_up(db, sight, switch, booted_at, told, self._files, until, waiting)
                events += gap.events
                events.append(SwitchChanged(switch=switch, connected=True))
        except AWAY as fault:
            self._away(fault)
            return False
        self._told, self._told_until = logs.Told(gap.told), time.monotonic() + OVERLAP_S
        self._ends = {}
        return True

    def note(self, switch: str) -> None:
        """What stood in the logs at the last note has been told since."""
        assert self._files is not None
        ends, self._ends = (
            self._ends,
            {name: end for name, path in self._files.paths.items() if (end := tail.end(path))},
        )
        if ends and not self.behind:
            try:
                with self._database.write() as db:
                    resync.note_ends(db, switch, ends, now())
            except AWAY as fault:
                self._away(fault)

    def breaches(self, switch: str, channels: Mapping[str, str] | None) -> list[invariants.Breach]:
        """Where the rows are not as they must be, and not as the switch is, if that was looked at."""
        with self._database.read() as db:
            found = invariants.load(db, switch, now())
            return found if channels is None else found + invariants.beside(db, switch, channels)

    def keep_breaches(
        self, switch: str, news: Sequence[invariants.Breach], standing: Collection[tuple[str, str]]
    ) -> None:
        """On record and in the log, with what was seen; and what is right again."""
        for breach in news:
            log.error("intake: not as it must be: %s, %s: %s", breach.what, breach.whose, breach.evidence)
        with self._database.write() as db:
            healed = invariants.keep(db, switch, news, standing, now())
            told = [(row.what, row.whose, row.seen_at) for row in healed]
        for what, whose, seen_at in told:
            log.warning("intake: as it must be again: %s, %s, wrong since %s", what, whose, seen_at)

    def lose(self, switch: str, at: datetime, why: str) -> None:
        """The link broke."""
        try:
            with self._transaction() as (db, events):
                events += record(db, resync.losing(db, switch, at, why), "resync")
                events.append(SwitchChanged(switch=switch, connected=False, detail=why))
        except AWAY as fault:
            self._away(fault)

    def _record(self, facts: Sequence[Fact], source: str) -> None:
        if source == "ami" and time.monotonic() < self._told_until:
            facts = self._told.new(facts)
        if facts:
            with self._transaction() as (db, events):
                events += record(db, recognise(db, facts), source)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Session, list[Event]]]:
        """A session, and a list of events that are published once it is committed."""
        events: list[Event] = []
        with self._database.write() as db:
            yield db, events
        if not self.behind:
            self.fault = ""
        for event in events:
            self._bus.publish(event)

    def _told_again(self) -> bool:
        """Whether all that lay on disk is in the database now."""
        count = len(self._spool)
        try:
            for source, facts in self._spool.batches():
                try:
                    self._record(facts, source)
                except AWAY:
                    raise
                except Exception:
                    self._one_by_one(facts, source)
        except AWAY as fault:
            self._away(fault)
            return False
        self._spool.clear()
        self.fault = ""
        log.info("intake: the database is back; %s facts that lay on disk are told", count)
        return True

    def _away(self, fault: Exception) -> None:
        self.fault = f"{fault!s:.200}".splitlines()[0]
        self._again_at = time.monotonic() + AGAIN_S
        log.error("intake: the database does not take facts: %s", self.fault)

    def _put_by(self, facts: Sequence[Fact], source: str) -> None:
        if facts:
            self._spool.add(facts, source)

    def _one_by_one(self, facts: Sequence[Fact], source: str) -> None:
        for fact in facts:
            try:
                self._record([fact], source)
            except AWAY:
                self._put_by([fact], source)
            except Exception:
                log.exception("intake: cannot record %.600r", fact)
