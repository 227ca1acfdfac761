"""Where somebody stands: a road and its kilometre marker (G4 K123+400), a position, or a place by its name."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

FORMS = Path(__file__).parent / "forms"
LONGEST_KM = 6000  # no road of the country is longer


class NoSuchPlace(ValueError):
    """What was said can be no place; the reason in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        self.zh, self.en = zh, en
        super().__init__(en)


# --- kilometre markers -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Marker:
    """A kilometre marker of a numbered road, as signs write it."""

    road: str
    km: int
    m: int = 0

    def __str__(self) -> str:
        return f"{self.road} K{self.km}+{self.m:03d}"

    def name(self, language: str) -> str:
        """The road's name, where it is a national motorway."""
        known = motorways().get(self.road)
        return "" if known is None else known[0] if language == "zh" else known[1]


_ROAD = r"(?P<road>[GSXYZ]\s*-?\s*\d{1,4})"
_MARK = re.compile(
    _ROAD
    + r"(?:(?!\d)[^\dK]{0,24}?)"  # the road's name in words, "motorway", a direction
    + r"(?:(?:ZK|YK|AK|K|桩号)\s*(?P<k>\d{1,5})(?:\s*(?:\+|加|KM|公里|千米)\s*(?P<m>\d{1,4})?)?"
    + r"|(?P<km>\d{1,5})\s*(?:KM|公里|千米)\s*(?:\+|加)?\s*(?P<metres>\d{1,4})?)"
)
_FIRST = re.compile(  # K123+400 of G4
    r"(?:ZK|YK|AK|K)\s*(?P<k>\d{1,5})(?:\s*\+\s*(?P<m>\d{1,4}))?[^\dGSXYZ]{0,12}" + _ROAD + r"(?!\d)"
)


def marker(text: str) -> Marker:
    """``G4 K123+400``, ``g4京港澳高速123公里400米``, ``Ｇ４Ｋ１２３＋４００``; NoSuchPlace says what cannot be."""
    said = unicodedata.normalize("NFKC", text).upper()
    found = _MARK.search(said) or _FIRST.search(said)
    if found is None:
        raise NoSuchPlace("请写成“公路编号 桩号”，如 G4 K123+400", "Write road and kilometre like this: G4 K123+400")
    parts = found.groupdict()
    road = re.sub(r"[\s-]", "", parts["road"])
    km = int(parts["k"] or parts.get("km") or 0)
    metres = parts.get("m") or parts.get("metres") or "0"
    m = int(metres)
    if m > 999:
        raise NoSuchPlace(f"桩号的米数最多 999，不能是 {m}", f"the metres of a marker go to 999, not {m}")
    if road[1:].strip("0") == "":
        raise NoSuchPlace(f"没有编号为 {road} 的公路", f"there is no road {road}")
    longest = motorways().get(road, ("", "", LONGEST_KM))[2]
    if km > longest or (km == longest and m):
        name = Marker(road, km).name("zh")
        raise NoSuchPlace(
            f"{road}{name}全长不到 {longest} 公里，不可能有 K{km}",
            f"{road} is less than {longest} km long, it has no K{km}",
        )
    return Marker(road, km, m)


def marker_in(text: str) -> Marker | None:
    """The marker in a longer description, if there is a good one."""
    try:
        return marker(text)
    except NoSuchPlace:
        return None


@cache
def motorways() -> dict[str, tuple[str, str, int]]:
    said = yaml.safe_load((FORMS / "roads.yaml").read_text(encoding="utf-8"))
    return {road: (str(zh), str(en), int(km)) for road, (zh, en, km) in said.items()}


# --- positions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    latitude: float
    longitude: float

    def __str__(self) -> str:
        return f"{self.latitude:.5f},{self.longitude:.5f}"


_POINT = re.compile(r"^\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d{1,12})?)\s*$")


def point(text: str) -> Point:
    """``34.7466,113.6254``: latitude, longitude, as maps copy it."""
    found = _POINT.match(unicodedata.normalize("NFKC", text).replace("，", ","))
    if found is None:
        raise NoSuchPlace("请写成“纬度,经度”，如 34.74660,113.62540", "Write latitude, longitude: 34.74660,113.62540")
    latitude, longitude = float(found[1]), float(found[2])
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise NoSuchPlace(
            "纬度在 -90 到 90 之间，经度在 -180 到 180 之间", "latitude is within ±90, longitude within ±180"
        )
    return Point(latitude, longitude)


def distance_km(a: Point, b: Point) -> float:
    """As the crow flies."""
    radius_km = 6371.0
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat = math.sin((lat_b - lat_a) / 2)
    half_lon = math.sin(math.radians(b.longitude - a.longitude) / 2)
    chord = half_lat**2 + math.cos(lat_a) * math.cos(lat_b) * half_lon**2
    return 2 * radius_km * math.asin(min(1.0, math.sqrt(chord)))


@cache
def towns() -> dict[str, Point]:
    said = yaml.safe_load((FORMS / "towns.yaml").read_text(encoding="utf-8"))
    return {name: Point(float(latitude), float(longitude)) for name, (latitude, longitude) in said.items()}


def point_of(*texts: str) -> tuple[str, Point] | None:
    """The town named in the first text that names one; of several the one said last, as addresses narrow down."""
    for text in texts:
        found = max((name for name in towns() if name in text), key=lambda name: text.rfind(name), default="")
        if found:
            return found, towns()[found]
    return None
