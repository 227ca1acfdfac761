"""Reports over any period, as pages, as CSV and as data: from a figure to its calls, in both languages."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from alembic import command

from agent_desktop.report import cell
from callcenter.database import migrations, now
from config.people import User
from reports import report
from tests.desktop import answer, arrival, hang_up, ringing, tell


@pytest.fixture
def busy(desk):
    """One call answered, one waiting."""
    tell(desk, *arrival("tel-1.1"))
    tell(desk, ringing("tel-1.1"), answer("tel-1.1"), *hang_up("tel-1.1"))
    tell(desk, *arrival("tel-2.1"))
    return desk


def table(page: str) -> dict[str, str]:
    return dict(re.findall(r'data-figure="(\w+)".*?data-value="([^"]*)"', page, re.DOTALL))


@pytest.mark.parametrize("by", report.BY)
def test_the_same_figures_stand_under_every_grouping(busy, by):
    client = busy.client("zhaomin")
    page = client.get("/reports", params={"when": "today", "by": by})
    assert page.status_code == 200
    told = table(page.text)
    assert (told["offered"], told["answered"], told["waiting"]) == ("2", "1", "1")
    assert {"sl1", "sl2", "sl3", "sl4", "sl5", "sl6", "sl7", "sl8"} <= told.keys()
    if by == "agent":
        assert 'data-agent="1001"' in page.text


def test_every_link_of_a_report_leads_to_its_calls(busy):
    client = busy.client("zhaomin")
    for by in ("hour", "week", "queue"):
        page = client.get("/reports", params={"when": "today", "by": by}).text
        links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/reports/calls[^"]*)"', page)}
        assert len(links) > 30
        assert not [link for link in links if "when=days" not in link], "after midnight it would be another day's"
        for link in links:
            behind = client.get(link)
            assert behind.status_code == 200, link
            if "figure=offered" in link:
                assert "/calls/tel-1.1" in behind.text
                assert "/calls/tel-2.1" in behind.text
            elif "figure=waiting" in link:
                assert "/calls/tel-1.1" not in behind.text


def test_a_chart_knows_its_curves_and_the_target(busy):
    page = busy.client("zhaomin").get("/reports", params={"when": "today", "by": "half_hour", "queue": "repair"}).text
    found = re.search(r'data-chart="([^"]*)"', page)
    if found is None:  # within the first half hour of a day there is one point only
        assert page.count("data-line=") == 1
        return
    told = json.loads(found[1].replace("&#34;", '"'))
    assert [sum(one["values"]) for one in told["counts"]] == [2, 1, 0]
    assert len(told["at"]) == len(told["level"]) == page.count("data-line=")
    assert told["target"] == 0.8
    assert told["zone"] == "Asia/Shanghai"


def test_a_sheet_has_every_line_and_says_its_formulas(busy):
    answer = busy.client("zhaomin").get("/reports.csv", params={"when": "today", "by": "queue"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    head = rows[0]
    assert head[:3] == ["from", "to", "queue"]
    (offered,) = (number for number, name in enumerate(head) if name in ("来话量 (calls)", "Offered (calls)"))
    assert sum(int(row[offered]) for row in rows[1 : rows.index([])]) == 2
    assert any("A_T / (O − B_s − W_T)" in row for line in rows for row in line)


def test_a_name_in_a_sheet_is_never_a_formula(busy):
    with busy.database.write() as db:
        db.query(User).filter(User.extension == "1001").one().name = '=HYPERLINK("http://x")'
    text = busy.client("zhaomin").get("/reports.csv", params={"when": "today", "by": "agent"}).content.decode()
    assert "'=HYPERLINK" in text


@pytest.mark.parametrize("told", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_begins_like_a_formula_is_marked_as_text(told):
    assert cell(told) == "'" + told
    assert cell(-1.5) == -1.5
    assert cell("王芳") == "王芳"


def test_both_languages_say_every_formula(busy):
    client = busy.client("zhaomin")
    pages = {}
    for language in ("zh", "en"):
        with busy.database.write() as db:
            db.query(User).filter(User.login == "zhaomin").one().language = language
        pages[language] = client.get("/reports", params={"when": "today"}).text
    assert "服务水平 SL7" in pages["zh"]
    assert "Amazon Connect 的口径" in pages["zh"]
    assert "Amazon Connect&#39;s: out of the queue" in pages["en"]


@pytest.mark.parametrize(
    "query",
    [
        "when=never",
        "by=planet",
        "queue=none",
        "when=days&first=2026-13-01",
        "when=days&first=2026-02-02&last=2026-02-01",
        "when=days&first=0001-01-01&last=9999-12-31",
        "when=days&first=2025-01-01&last=2025-12-31&by=quarter",
    ],
)
def test_a_report_nobody_can_make_is_refused_in_words(desk, query):
    for path in ("/reports", "/reports.csv"):
        answer = desk.client("zhaomin").get(f"{path}?{query}")
        assert answer.status_code in (404, 422)
        assert "data-fault=" in answer.text


def test_a_piece_that_no_report_shows_is_refused(busy):
    client = busy.client("zhaomin")
    today = now().astimezone(busy.settings.centre.zone).date()
    asked = {"when": "days", "first": today, "last": today, "figure": "offered"}
    for start, end in ((1, 2), (2, 1), (0, 10**17)):
        assert client.get("/reports/calls", params={**asked, "start": start, "end": end}).status_code == 422
    assert client.get("/reports/calls", params={**asked, "figure": "__class__"}).status_code == 404
    before = {**asked, "first": today - timedelta(days=400), "last": today}
    assert "/calls/tel-1.1" in client.get("/reports/calls", params=before).text


def test_who_may_not_see_reports_sees_none(busy):
    for path in ("/reports", "/reports.csv", "/reports/calls?figure=offered"):
        assert busy.client("wangfang").get(path).status_code == 403


def test_the_command_prints_the_same_figures(busy):
    command.stamp(migrations(busy.database.url), "head")  # its tables were made, not migrated
    environ = os.environ | {
        "CALLCENTER_HOME": str(busy.settings.home),
        "CALLCENTER_DATABASE__URL": busy.database.url,
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "callcenter", "report", *words]
        return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)

    told = json.loads(run("--by", "queue", "--json").stdout)
    figures = {one["name"]: one for one in told["figures"]}
    assert (figures["offered"]["value"], figures["answered"]["value"]) == (2, 1)
    assert figures["service_level"]["formula"].startswith("A_T / (O − B_s − W_T)")
    assert sum(line["figures"]["offered"] for line in told["lines"]) == 2
    assert "平均应答速度" in run("--language", "zh").stdout
    assert run("--from", "2026-02-30").returncode == 2
