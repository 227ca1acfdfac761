"""What is asked for each call, or every second, reads by index: it takes no longer after ten years than on day one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from callcenter.database import now
from config import queues
from reports import material
from tests import recorded
from tests.desktop import Desk, tell
from tests.facts import Told
from tests.told import Caller
from ticketing import customers
from ticketing.rows import Customer

GROWING = ("calls", "legs", "segments", "offers", "spells", "ledger", "tickets", "engines", "phones")
CALL = "tel-1795395600.1"


@pytest.fixture
def old(desk):
    """A desk on which a call has been."""
    with desk.database.write() as db:
        queues.set_member(db, "repair", "1002")
    recorded.record(desk.database, desk.bus, desk.settings, recorded.handled(CALL, now() - timedelta(minutes=5)))
    return desk


def two_agents_are_rung(desk: Desk) -> None:
    said = Told("tel-1795395700.1", at=now()).arrives().joins()
    tell(desk, *said.rings("1001", "tel-1795395700.2").rings("1002", "tel-1795395700.3").facts)


def a_card_is_asked_for(desk: Desk) -> None:
    caller = Caller(desk.database, desk.bus, serial="102938").rings()
    assert desk.client("wangfang").get(f"/desk/card/{caller.call_id}").status_code == 200


def a_call_is_replayed(desk: Desk) -> None:
    with desk.database.read() as db:
        material.load(db, material.find(db, "13800138000", desk.settings.centre), now())


def a_supervisor_looks_at_the_board(desk: Desk) -> None:
    assert desk.client("zhaomin").get("/board/now").status_code == 200


@pytest.mark.parametrize(
    "happens", [two_agents_are_rung, a_card_is_asked_for, a_call_is_replayed, a_supervisor_looks_at_the_board]
)
def test_no_table_that_grows_is_read_as_a_whole(old: Desk, happens: Callable[[Desk], None]):
    asked: list[tuple[str, Any]] = []
    event.listen(old.database.engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    happens(old)
    selects = [(statement, values) for statement, values in asked if statement.startswith("SELECT")]
    assert selects
    whole = []
    with old.database.read() as db:
        for statement, values in selects:
            plan = db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [row[3] for row in plan]
            if any(re.match(rf"SCAN ({'|'.join(GROWING)})\b", step) for step in steps):
                whole.append(f"{steps}\n{statement}")
    assert not whole, "\n\n".join(whole)


def test_a_number_of_the_erp_is_looked_up_by_index_though_nearly_nobody_has_one(desk):
    with desk.database.write() as db:
        for _ in range(200):
            customers.create(db, "end_user", "李建国", now())
        db.execute(text("ANALYZE"))
    asked = select(Customer).where(customers.of_code("K-1001"), Customer.merged_into_id.is_(None))
    with desk.database.read() as db:
        spoken = str(asked.compile(db.get_bind(), compile_kwargs={"literal_binds": True}))
        steps = [row[3] for row in db.execute(text(f"EXPLAIN QUERY PLAN {spoken}"))]
    assert steps == ["SEARCH customers USING INDEX ix_customers_code (code=?)"]
