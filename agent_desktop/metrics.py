"""How much of what is going on: counted from the rows whenever Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from agent_desktop.hub import Hub
from agent_desktop.sockets import Sockets
from callcenter.database import Database
from cti import queues_now
from cti.rows import Agent, BreachRow, Call

METHODS = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}
LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    def __init__(self, database: Database, hub: Hub, sockets: Sockets) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Rows(database, hub, sockets))
        self._answers = Histogram(
            "callcenter_http_seconds",
            "Time from request to the end of the answer.",
            ["method", "route", "status"],
            buckets=LATENCIES_S,
            registry=self.registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"  # or anybody could fill our memory with made-up methods
        self._answers.labels(known, route, str(status)).observe(seconds)


class _Rows(Collector):
    def __init__(self, database: Database, hub: Hub, sockets: Sockets) -> None:
        self._database, self._hub, self._sockets = database, hub, sockets

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        calls = GaugeMetricFamily("callcenter_calls", "Calls going on, by state.", labels=["state"])
        agents = GaugeMetricFamily("callcenter_agents", "Agents, by status and state.", labels=["status", "state"])
        waiting = GaugeMetricFamily("callcenter_queue_waiting", "Callers waiting, by queue.", labels=["queue"])
        with self._database.read() as db:
            for state, count in db.execute(
                select(Call.state, func.count()).where(Call.ended_at.is_(None)).group_by(Call.state)
            ):
                calls.add_metric([state], count)
            for status, state, count in db.execute(
                select(Agent.status, Agent.state, func.count()).group_by(Agent.status, Agent.state)
            ):
                agents.add_metric([status, state], count)
            for queue, callers in queues_now.waiting(db).items():
                waiting.add_metric([queue], callers.waiting)
            breaches = CounterMetricFamily(
                "callcenter_breaches", "Times that rows were not as they must be, by law.", labels=["law"]
            )
            for what, count in db.execute(select(BreachRow.what, func.count()).group_by(BreachRow.what)):
                breaches.add_metric([what], count)
            standing = db.scalar(select(func.count()).where(BreachRow.healed_at.is_(None))) or 0
        yield from (calls, agents, waiting, breaches)
        yield GaugeMetricFamily("callcenter_breaches_standing", "Rows that are not as they must be now.", standing)
        yield GaugeMetricFamily("callcenter_live_browsers", "Browsers that follow the live link.", self._hub.count)
        yield GaugeMetricFamily("callcenter_sockets", "Open live links and phone lines.", self._sockets.count)
