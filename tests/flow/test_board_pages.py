"""What supervisors see and set on the board, the books, the queues and the figures of today."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from agent_desktop.board import attention
from callcenter.database import now
from config import definitions, queues
from config.settings import ServiceLevels, Settings
from cti import waits
from cti.rows import Agent, SwitchRow
from reports import today
from reports.rows import Reconciliation
from tests.desktop import answer, arrival, hang_up, make_desk, ringing, tell
from tests.facts import Told

# --- the board -------------------------------------------------------------------------------------------------


def test_the_board_shows_who_waits_and_what_the_day_was(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1", number="+8613900139000"))
    page = desk.client("zhaomin").get("/board/now").text
    row = page.split('data-queue="repair"')[1].split("</tr>")[0]
    assert re.search(r">1</a>", row)  # one waits
    assert "data-since=" in row
    assert re.findall(r"figure=(\w+)&amp;queue=repair\">([^<]*)<", row)[:2] == [("offered", "2"), ("answered", "1")]
    assert "100.0%" in row  # the one who still waits within the target counts neither way


def test_the_board_measures_a_queue_as_the_settings_say(tmp_path, database):
    desk = make_desk(tmp_path, database, Settings(home=tmp_path, service_level=ServiceLevels(form="sl3")))
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *Told("tel-2.1", at=now()).arrives().joins().abandons(after=1).ends().facts)
    assert "50.0%" in desk.client("zhaomin").get("/board/now").text  # SL3 counts who gave up at once, SL8 does not


def test_a_switch_whose_clock_is_ahead_of_ours_keeps_no_page_from_anybody(desk):
    """The caller joined in what is the future here: he has waited for nothing yet, never for less."""
    tell(desk, *(replace(fact, at=fact.at + timedelta(seconds=20)) for fact in arrival("tel-1.1")))
    with desk.database.read() as db:
        (wait,) = waits.between(db, now() - timedelta(days=2), now() + timedelta(days=2), now())
    assert (wait.waiting, wait.wait_us) == (True, 0)
    client = desk.client("zhaomin")
    for page in ("/board", "/board/now", "/reports/today", "/reports?when=today&by=quarter"):
        assert client.get(page).status_code == 200, page


def test_a_queue_made_a_moment_ago_is_on_the_board(desk):
    client = desk.client("zhaomin")
    assert client.get("/board/now").status_code == 200
    with desk.database.write() as db:
        queues.create_queue(db, "rescue", "求援", "Rescue")
    assert 'data-queue="rescue"' in client.get("/board/now").text


def test_the_board_says_whether_yesterdays_calls_agree_with_the_switchs_books(desk):
    client = desk.client("zhaomin")
    assert 'id="books"' not in client.get("/board/now").text
    for day, count, said in (("2026-11-20", 3, "3 differences"), ("2026-11-21", 0, "all 812 calls agree")):
        with desk.database.write() as db:
            db.add(Reconciliation(day=day, looked_at=now(), calls=812, differences=[], count=count))
        page = client.get("/board/now").text
        assert f"{day}: {said}" in page


def test_every_day_that_was_looked_at_stands_with_its_differences_call_by_call(desk):
    client = desk.client("zhaomin")
    assert "No day has been looked at yet." in client.get("/reports/books").text
    wrong = {
        "call_id": "tel-1.1",
        "what": "wait",
        "ours": "repair timeout",
        "theirs": "repair <abandoned>",
        "cause": "",
    }
    with desk.database.write() as db:
        db.add(Reconciliation(day="2026-11-20", looked_at=now(), calls=812, differences=[wrong], count=1))
        db.add(Reconciliation(day="2026-11-21", looked_at=now(), calls=640, differences=[], count=0))
    page = client.get("/reports/books").text
    assert page.index('data-day="2026-11-21"') < page.index('data-day="2026-11-20"')
    assert 'href="/calls/tel-1.1"' in page
    assert "wait: ours repair timeout, theirs repair &lt;abandoned&gt;" in page
    assert desk.client("wangfang").get("/reports/books").status_code == 403


# --- what a queue is measured by ---------------------------------------------------------------------------------

TARGETS = {
    "version": "1", "service_level": "sl3", "target_s": "30", "target_percent": "90", "short_abandon_s": "3",
    "ring_s": "15", "max_wait_s": "600", "wrap_up_s": "60", "exit_key": "*",
}  # fmt: skip


def test_a_supervisor_changes_a_queues_definitions_and_what_was_before_is_made_by_them_too(desk):
    client = desk.client("zhaomin")
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))

    def level() -> tuple[str, dict[str, float], int]:
        with desk.database.read() as db:
            figures = today.today(db, desk.settings.centre.zone, now(), desk.settings.service_level, "repair")
        (one,) = [figure for figure in figures if figure.name == "service_level"]
        return one.formula_en.partition(":")[0], dict(one.thresholds), one.queue_version or 0

    assert level() == ("A_T / (O − B_s − W_T)", {"T": 20, "s": 5, "c": 0}, 1)
    assert client.post("/admin/queues/repair", data=TARGETS).status_code == 303
    assert level() == ("A_T / (A + B)", {"T": 30, "s": 3, "c": 0}, 2)
    page = client.get("/admin/queues").text
    for said in ("zhaomin", "20 → <b>30</b>", "80.0% → <b>90.0%</b>", "SL8 → <b>SL3</b>", "5 → <b>3</b>"):
        assert said in page
    assert "v1.2" in client.get("/reports/today?queue=repair").text


def test_of_two_who_change_a_queue_the_second_is_told_and_what_no_queue_can_have_is_refused(desk):
    client = desk.client("zhaomin")
    assert client.post("/admin/queues/repair", data=TARGETS).status_code == 303
    assert client.post("/admin/queues/repair", data=TARGETS | {"target_s": "40"}).status_code == 409
    same = TARGETS | {"version": "2"}
    assert client.post("/admin/queues/repair", data=same).status_code == 303
    for field, value in (
        ("target_s", "0"),
        ("target_percent", "101"),
        ("target_percent", "nan"),
        ("short_abandon_s", "-1"),
        ("service_level", "sl9"),
        ("exit_key", ";"),
        ("ring_s", "soon"),
    ):
        assert client.post("/admin/queues/repair", data=same | {field: value}).status_code == 422, field
    assert client.post("/admin/queues/nowhere", data=same).status_code == 404
    with desk.database.read() as db:
        assert [(one.queue, one.version) for one in definitions.history(db)] == [("repair", 2)]
    assert desk.client("wangfang").get("/admin/queues").status_code == 403


def test_the_board_says_that_telephony_is_lost(desk):
    with desk.database.write() as db:
        db.add(SwitchRow(name="tel", connected=False, since=now(), detail="login refused"))
    for page in (desk.client("zhaomin").get("/board").text, desk.client("zhaomin").get("/board/now").text):
        assert "Telephony lost" in page
        assert "login refused" in page


AT = now()
LONG, SHORT = timedelta(minutes=10), timedelta(seconds=5)


def seen(status: str, state: str, ago: timedelta = SHORT, reason: str = "", reachable: bool = True) -> Agent:
    return Agent(
        extension="1001", status=status, state=state, status_reason=reason, state_since=AT - ago, reachable=reachable
    )


def test_who_needs_attention_comes_first():
    in_order = [
        seen("on_break", "idle", reason="missed"),
        seen("available", "idle", reachable=False),
        seen("available", "wrap_up", LONG),
        seen("available", "ringing"),
        seen("available", "talking"),
        seen("available", "wrap_up"),
        seen("available", "idle"),
        seen("on_break", "idle", reason="lunch"),
        seen("offline", "idle", reachable=False),
    ]
    ranks = [attention(agent, AT, timedelta(minutes=1)) for agent in in_order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert attention(seen("available", "ringing", LONG), AT, LONG) == attention(in_order[1], AT, LONG)


# --- the report ------------------------------------------------------------------------------------------------


def test_each_figure_stands_with_its_formula_and_leads_to_its_calls(desk):
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    client = desk.client("zhaomin")
    page = client.get("/reports/today").text
    assert "A_T / (O − B_s − W_T)" in page
    for name in re.findall(r'data-figure="(\w+)"', page):
        behind = client.get(f"/reports/today/calls?figure={name}")
        assert behind.status_code == 200, name
    assert "/calls/tel-1.1" in client.get("/reports/today/calls?figure=answered&queue=repair").text
    assert "/calls/tel-1.1" not in client.get("/reports/today/calls?figure=abandoned").text


def test_a_manager_without_the_calls_sees_numbers_but_no_doors(desk):
    tell(desk, *arrival("tel-1.1"))
    page = desk.client("sunli").get("/reports/today/calls?figure=offered").text
    assert 'href="/calls/' not in page
