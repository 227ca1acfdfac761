"""Which station is sent, and why that one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ticketing.roads import towns
from ticketing.stations import Candidate, ranked

CHENGXIN = Candidate(
    station_id=1, name="郑州诚信", area="河南 郑州 开封", point=towns()["郑州"], skills=("4D", "6D"), on_duty="张师傅"
)
HONGDA = Candidate(station_id=2, name="洛阳宏达", area="河南 洛阳", point=towns()["洛阳"], skills=("4D", "6D"))
PLACE = towns()["中牟"]
WORDS = ("河南", "中牟")


def first(*stations: Candidate, skill: str = "4D83") -> str:
    return ranked(stations, place=PLACE, words=WORDS, skill=skill)[0].station.name


def test_the_nearest_goes_and_the_reason_is_said():
    best = ranked([HONGDA, CHENGXIN], place=PLACE, words=WORDS, skill="4D83")[0]
    assert best.station is CHENGXIN
    assert 25 < (best.km or 0) < 40
    assert [reason.zh for reason in best.reasons] == [
        "直线约 32 公里",
        "服务区域含河南",
        "能修 4D83",
        "值班：张师傅",
        "空闲",
    ]
    assert all(reason.good for reason in best.reasons)


def test_a_nearer_one_is_passed_over_that_cannot_repair_it_is_shut_has_nobody_there_or_is_full():
    assert first(replace(CHENGXIN, skills=("6D",)), HONGDA) == "洛阳宏达"
    assert first(replace(CHENGXIN, on_duty="", open_now=False), HONGDA) == "洛阳宏达"
    assert first(replace(CHENGXIN, on_duty="", rostered=True), HONGDA) == "洛阳宏达"
    assert first(replace(CHENGXIN, out=6, crews=2), HONGDA) == "洛阳宏达"
    assert first(replace(CHENGXIN, out=2, crews=2), HONGDA) == "郑州诚信"


def test_without_a_place_the_area_decides():
    found = ranked([HONGDA, CHENGXIN], place=None, words=("河南", "开封"), skill="")
    assert [one.minutes for one in found] == [found[0].minutes] * 2
    assert "距离不详" in [reason.zh for reason in found[0].reasons]
    abroad = replace(HONGDA, area="陕西 西安")
    assert ranked([abroad, CHENGXIN], place=None, words=("河南", "开封"))[0].station.name == "郑州诚信"


FULL, NOWHERE = replace(HONGDA, station_id=3, out=4), replace(CHENGXIN, station_id=4, point=None)


@given(st.permutations([CHENGXIN, HONGDA, FULL, NOWHERE]))
def test_the_order_of_the_file_does_not_matter(stations):
    order = [one.station.station_id for one in ranked(stations, place=PLACE, words=WORDS, skill="4D83")]
    assert order[0] == 1
    assert order == [one.station.station_id for one in ranked(stations[::-1], place=PLACE, words=WORDS, skill="4D83")]
