"""Where somebody stands on the road: kilometre markers as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing import roads
from ticketing.roads import Marker, NoSuchPlace, Point


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("G4 K123+400", "G4 K123+400"),
        ("g4k123+400", "G4 K123+400"),
        ("Ｇ４ Ｋ１２３＋４００", "G4 K123+400"),
        ("G4京港澳高速 K123+400 上行", "G4 K123+400"),
        ("G30连霍高速580公里", "G30 K580+000"),
        ("G30 连霍高速 580公里200", "G30 K580+200"),
        ("车在S88线 桩号 K12+50 应急车道", "S88 K12+050"),
        ("K1203+400 G4 往北", "G4 K1203+400"),
        ("G0401 K33", "G0401 K33+000"),
        ("G4 123km", "G4 K123+000"),
    ],
)
def test_a_marker_is_read_however_it_is_said(said, meant):
    assert str(roads.marker(said)) == meant


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("京港澳高速上", "公路编号"),
        ("G4 K123+1400", "米数"),
        ("G4 K5000+000", "全长"),
        ("G0 K1", "没有编号"),
        ("X123 K99999", "全长"),
        ("", "公路编号"),
        ("G4" * 4000, "公路编号"),
    ],
)
def test_a_marker_that_cannot_be_is_refused_with_the_reason(said, why):
    with pytest.raises(NoSuchPlace) as fault:
        roads.marker(said)
    assert why in fault.value.zh
    assert fault.value.en


@given(st.sampled_from(["G4", "S12", "X123", "G3011"]), st.integers(0, 2300), st.integers(0, 999))
def test_what_is_written_is_read_back_the_same(road, km, m):
    kept = Marker(road, km, m)
    assert roads.marker(str(kept)) == kept


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(said):
    try:
        assert roads.marker(str(roads.marker(said))) is not None
    except NoSuchPlace:
        pass


def test_a_position_copied_from_a_map():
    assert roads.point("34.7466，113.6254") == Point(34.7466, 113.6254)
    for wrong in ("91,0", "34.7", "0,181", "nan,0", "x"):
        with pytest.raises(NoSuchPlace):
            roads.point(wrong)


def test_zhengzhou_is_about_110_km_from_luoyang_and_an_address_narrows_down():
    zhengzhou, luoyang = roads.towns()["郑州"], roads.towns()["洛阳"]
    assert 100 < roads.distance_km(zhengzhou, luoyang) < 120
    assert roads.point_of("郑州市中牟县雁鸣湖", "河南 郑州") == ("中牟", roads.towns()["中牟"])
    assert roads.point_of("", "河南 洛阳") == ("洛阳", luoyang)
    assert roads.point_of("麦田") is None
