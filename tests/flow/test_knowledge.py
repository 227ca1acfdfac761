"""What is known: written in versions, found by fault, words and pinyin, counted where it helped; and guides walked."""

from __future__ import annotations

import re
from typing import Any

import pytest

from callcenter.database import now
from tests.desktop import answer, arrival, ringing, tell
from ticketing import demo_knowledge, guides, knowledge, tickets
from ticketing.guides import GuideWrong
from ticketing.knowledge import ArticleIncomplete, StaleArticle

HOT = """hot: 水温超过 105 °C 吗？
- 是 > level
- 否 = 继续观察。

level：液位正常吗？
- 正常 = 派服务站。
- 不足 = 补加冷却液。"""


@pytest.fixture
def known(desk):
    with desk.database.write() as db:
        demo_knowledge.fill(db, "zhaomin", now())
    return desk


def found(desk, words, **more: Any):
    with desk.database.read() as db:
        return [article.title for article in knowledge.find(db, words, **more)]


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("水箱开锅", "水温高的常见原因与处理"),
        ("发动机一直高温怎么办", "水温高的常见原因与处理"),
        ("shuiwen", "水温高的常见原因与处理"),
        ("SPN100", "机油压力低报警怎么办"),
        ("jyyl", "机油压力低报警怎么办"),
        ("天冷打不着", "冬季启动困难"),
        ("zoubao", "首次保养（走保）何时做、做什么"),
    ],
)
def test_an_article_is_found_by_what_the_caller_says_its_pinyin_and_fault_codes(known, said, first):
    assert found(known, said)[0] == first


def test_the_fault_chosen_comes_first_and_ones_own_language_before_the_other(known):
    assert found(known, "", fault="coolant_hot", language="zh")[0] == "水温高的常见原因与处理"
    assert found(known, "", fault="coolant_hot", language="en")[0] == "Coolant too hot: what to ask and what to do"
    assert found(known, "overheating", language="en")[0].startswith("Coolant too hot")
    assert found(known, "量子计算机") == []
    assert found(known, "%_") == found(known, "")  # nothing was said


def test_every_version_is_kept_and_a_colleagues_is_not_overwritten(desk):
    with desk.database.write() as db:
        article = knowledge.write(db, title="漏油", body="看油底壳。", language="zh", by="chenjing", now=now())
        knowledge.change(db, article, version=1, title="漏油", body="看油底壳与油封。", by="zhaomin", now=now())
        with pytest.raises(StaleArticle):
            knowledge.change(db, article, version=1, title="漏油", body="别的", by="chenjing", now=now())
        told = [(one.version, one.body, one.by) for one in knowledge.versions(db, article)]
        assert told == [(2, "看油底壳与油封。", "zhaomin"), (1, "看油底壳。", "chenjing")]
        for title, faults in (("", []), ("漏油", ["two words"])):
            with pytest.raises(ArticleIncomplete):
                knowledge.write(db, title=title, body="x", language="zh", by="x", now=now(), faults=faults)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be walked"),
        ("hot: 热吗？", "no answers"),
        ("hot: 热吗？\n- 是 > cold", "not there"),
        ("hot: 热吗？\n- 是 > hot", "back to itself"),
        ("hot: 热吗？\n- 是 = 停机\nlost: 冷吗？\n- 是 = 停机", "never reached"),
        ("hot: 热吗？\n- 是 = 停机\nhot: 热吗？\n- 是 = 停机", "twice"),
        ("- 是 = 停机", "line 1"),
        ("hot: 热吗？\n- 是 = 停机\n随便写点什么", "line 3"),
    ],
)
def test_a_guide_that_cannot_be_walked_is_refused_with_its_line(text, why):
    with pytest.raises(GuideWrong, match=why):
        guides.read(text)


def test_on_the_desk_what_fits_is_shown_beside_the_form_counted_and_kept_on_the_ticket(known):
    tell(known, *arrival("tel-1.1"))
    tell(known, ringing("tel-1.1"), answer("tel-1.1"))
    agent = known.client("wangfang")
    assert 'data-part="knowledge"' in agent.get("/desk/card/tel-1.1").text
    shown = agent.get("/desk/knowledge", params={"fault": "coolant_hot", "q": "装载机", "call_id": "tel-1.1"}).text
    number = re.search(r'data-solved="(\d+)"', shown)
    assert number is not None
    assert "This solved it" in shown
    for _ in range(2):  # pressed twice, counted once
        said = agent.post(f"/desk/knowledge/{number[1]}/solved", data={"call_id": "tel-1.1"})
        assert "solved 1 time" in said.text
    sent = {"kind": "inquiry", "subject": "水温高", "field.topic": "use", "call_id": "tel-1.1"}
    ticket = agent.post("/desk/tickets", data=sent).json()
    page = agent.get(f"/tickets/{ticket['id']}").text
    assert "Knowledge used" in page
    assert f'href="/knowledge/{number[1]}"' in page
    assert agent.post(f"/desk/knowledge/{number[1]}/solved", data={"call_id": "tel-2.1"}).status_code == 404


def test_a_guide_is_walked_step_by_step_and_every_answer_stays_with_the_call(known):
    tell(known, *arrival("tel-1.1"))
    tell(known, ringing("tel-1.1"), answer("tel-1.1"))
    with known.database.write() as db:
        guide = guides.write(db, title="水温", text=HOT, language="zh", by="zhaomin", now=now())
    agent, path = known.client("wangfang"), f"/desk/guides/{guide.id}"
    assert "水温超过 105 °C 吗？" in agent.get(path).text
    about = {"call_id": "tel-1.1"}
    assert "液位正常吗？" in agent.post(path, data=about | {"step": "hot", "way": 0}).text
    assert "补加冷却液。" in agent.post(path, data=about | {"step": "level", "way": 1}).text
    assert agent.post(path, data=about | {"step": "level", "way": 7}).status_code == 422
    assert agent.post(path, data={"step": "level", "way": 1}).status_code == 422  # kept with what?
    with known.database.write() as db:
        there = guides.load(db, guide.id)
        guides.change(db, there, version=1, title="水温", text="q: 问？\n- 答 = 完", by="zhaomin", now=now())
        kept = [(one.ask, one.answer, one.version) for one in guides.answered(db, call_id="tel-1.1")]
    assert kept == [("水温超过 105 °C 吗？", "是", 1), ("液位正常吗？", "不足", 1)]
    assert "不足" in agent.get("/desk/knowledge?call_id=tel-1.1").text


def test_supervisors_and_quality_write_agents_read_and_nothing_typed_is_lost(desk):
    agent, quality = desk.client("wangfang"), desk.client("chenjing")
    typed = {"title": "<b>异响</b>", "body": "先听部位。", "faults": "noise SPN-1", "words": "响", "language": "zh"}
    assert agent.post("/knowledge/new", data=typed).status_code == 403
    made = quality.post("/knowledge/new", data=typed)
    assert made.status_code == 303
    page = agent.get(made.headers["location"]).text
    assert "&lt;b&gt;异响" in page
    assert "/edit" not in page
    refused = quality.post("/knowledge/new", data=typed | {"faults": "a/b", "body": "写了很久的话"})
    assert refused.status_code == 422
    assert "写了很久的话" in refused.text
    late = quality.post(made.headers["location"], data=typed | {"version": 0, "body": "另一个版本"})
    assert late.status_code == 409
    assert "另一个版本" in late.text
    assert quality.post(made.headers["location"], data=typed | {"version": 1, "body": "新"}).status_code == 303
    bad = quality.post("/guides/new", data={"title": "异响", "text": "a: 问？\n乱", "language": "zh"})
    assert bad.status_code == 422
    assert "line 2" in bad.text
    assert quality.post("/guides/new", data={"title": "异响", "text": HOT, "language": "zh"}).status_code == 303
    assert "异响" in agent.get("/guides/1").text


def test_over_the_api_articles_are_found_written_and_counted(known):
    client, headers = known.client(), known.token("zhaomin")
    first = client.get("/api/v1/articles?fault=coolant_hot&limit=1", headers=headers).json()
    assert len(first["items"]) == 1
    assert len(client.get(first["next"], headers=headers).json()["items"]) == 1
    made = client.post("/api/v1/articles", json={"title": "漏油", "body": "看油封。"}, headers=headers).json()
    path = f"/api/v1/articles/{made['id']}"
    changed = client.put(path, json={"version": 1, "title": "漏油", "body": "看油封和油底壳。"}, headers=headers)
    assert changed.headers["etag"] == '"2"'
    assert client.put(path, json={"version": 1, "title": "x", "body": "y"}, headers=headers).status_code == 409
    with known.database.write() as db:
        fields = {"topic": "use"}
        ticket = tickets.open_ticket(db, "inquiry", subject="漏油", by="wangfang", now=now(), fields=fields)
    used = client.post(f"{path}/solved", json={"ticket_id": ticket.id}, headers=headers)
    assert (used.json()["ticket_id"], used.json()["version"]) == (ticket.id, 2)
