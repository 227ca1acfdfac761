"""A page of the parts catalogue, for demonstration and trial."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from ticketing import parts

_PARTS = (
    ("1000-3812", "喷油器总成", "Injector", "6D107 6D125", "1000-3812A", date(2025, 3, 1)),
    ("1000-3812A", "喷油器总成（加强型）", "Injector, reinforced", "6D107 6D125", "", None),
    ("1000-1101", "高压油泵总成", "High pressure pump", "6D", "", None),
    ("1000-2204", "柴油滤清器", "Fuel filter", "4D 6D", "", None),
    ("1000-2210", "油水分离器", "Water separator", "4D 6D", "1000-2211", date(2024, 9, 1)),
    ("1000-2211", "油水分离器（带加热）", "Water separator, heated", "4D 6D", "", None),
    ("4D83-0102", "机油滤清器", "Oil filter", "4D", "", None),
    ("4D83-0711", "水泵总成", "Water pump", "4D83", "", None),
    ("4D83-0720", "节温器", "Thermostat", "4D83 4D107", "", None),
    ("6D10-0405", "气缸垫", "Cylinder head gasket", "6D105 6D107", "", None),
    ("6D10-0511", "活塞环组件", "Piston ring set", "6D107", "", None),
    ("6D12-0802", "涡轮增压器总成", "Turbocharger", "6D125 6D138", "", None),
    ("6D12-1303", "起动机 24V", "Starter motor 24 V", "6D", "", None),
    ("6D12-1310", "发电机 28V 70A", "Alternator 28 V 70 A", "6D", "", None),
    ("7000-0001", "共轨压力传感器", "Rail pressure sensor", "4D 6D", "", None),
)


def fill(db: Session, by: str, now: datetime) -> None:
    for number, zh, en, fits, follows, since in _PARTS:
        parts.create(
            db, number, by=by, now=now, zh=zh, en=en, fits=fits.split(), superseded_by=follows, superseded_on=since
        )
