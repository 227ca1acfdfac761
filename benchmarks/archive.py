"""A maker's decade by bulk SQL: customers, engines and tickets by the million, findable as the product keeps them.

What the rows say is put together in the database from small tables of parts; the pieces they are found by come from
the product's own cutter. The same rows each time, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, Connection, Integer, Table, text
from sqlalchemy.types import TypeEngine

from callcenter.database import Base, Database, to_us
from ticketing import findable, pinyin

CHUNK = 500_000
PER_DAY = 2000
FIRST_DAY = datetime(2018, 12, 1, tzinfo=UTC)
TABLES = ("customers", "phones", "engines", "tickets", "ticket_entries")

_FAMILY = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀兰霞平刚桂英华建国志红海燕春梅文辉玉珍鹏飞宏宇晓东永福德胜利新民"
_REGIONS = [
    "河南 郑州",
    "河南 洛阳",
    "山东 济南",
    "山东 临沂",
    "河北 石家庄",
    "江苏 徐州",
    "安徽 合肥",
    "湖北 武汉",
    "四川 成都",
    "广西 柳州",
]
_VEHICLES = [
    "装载机 龙工 LG855",
    "挖掘机 徐工 XE215",
    "收割机 雷沃 GM80",
    "拖拉机 东方红 LX1504",
    "叉车 合力 CPCD50",
    "发电机组 50GF",
]
_WHAT = [
    "水温高",
    "机油压力低",
    "冒黑烟",
    "启动困难",
    "动力不足",
    "漏机油",
    "异响",
    "自动熄火",
    "增压器故障",
    "烧机油",
    "咨询三包期限",
    "询问配件价格",
]
_WHERE = [
    "工地上",
    "高速服务区",
    "农忙抢收",
    "矿山",
    "隧道施工",
    "港口",
    "市政抢修",
    "林场",
    "冷库",
    "物流园",
    "砂石场",
    "水库",
    "电站",
    "村里",
    "修理厂",
]
KINDS = (("inquiry", "Q"), ("complaint", "C"), ("repair", "R"), ("follow_up", "F"), ("rescue", "S"))


@dataclass(frozen=True)
class Sizes:
    customers: int
    engines: int
    tickets: int

    @classmethod
    def of(cls, share: float) -> Sizes:
        return cls(round(1_000_000 * share), round(2_000_000 * share), round(5_000_000 * share))


@dataclass(frozen=True)
class Begin:
    """The last ids that were there before: what is made comes behind them."""

    customers: int
    engines: int
    tickets: int


def names() -> list[str]:
    """Some ten thousand, of which a hundred people each are called the same, as it is."""
    one = [f"{family}{given}" for family in _FAMILY for given in _GIVEN]
    return one + [
        f"{family}{first}{_GIVEN[(at * 7 + 3) % len(_GIVEN)]}" for family in _FAMILY for at, first in enumerate(_GIVEN)
    ]


def number(x: int) -> str:
    """The mobile number of the x-th customer made."""
    return f"139{x * 7919 % 100_000_000:08d}"


def serial(x: int) -> str:
    return f"4D83K{x:08d}"


class Filling:
    def __init__(self, database: Database, sizes: Sizes) -> None:
        self.database, self.sizes, self.sqlite = database, sizes, database.is_sqlite
        with database.read() as db:
            last = {table: db.execute(text(f"SELECT max(id) FROM {table}")).scalar() or 0 for table in TABLES}
        self.begin = Begin(last["customers"], last["engines"], last["tickets"])

    def fill(self) -> Begin:
        with self.database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            if self.sqlite:
                for pragma in ("cache_size=-600000", "synchronous=OFF", "temp_store=MEMORY"):
                    driver.execute(f"PRAGMA {pragma}").close()
            self._parts(connection)
            with self._without_indexes(connection):
                self._customers(connection)
                self._engines(connection)
                self._tickets(connection)
            connection.commit()
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
        self.database.engine.dispose()  # nobody goes on with what was set for filling
        return self.begin

    # --- parts -----------------------------------------------------------------------------------------------------

    def _parts(self, c: Connection) -> None:
        c.execute(
            text("CREATE TABLE made_names (n INTEGER PRIMARY KEY, name TEXT, pinyin TEXT, initials TEXT, tokens TEXT)")
        )
        c.execute(text("CREATE TABLE made_words (n INTEGER PRIMARY KEY, said TEXT, tokens TEXT)"))
        c.execute(text("CREATE TABLE made_days (n INTEGER PRIMARY KEY, day TEXT, us BIGINT)"))
        spelt = [(name, pinyin.full(name), pinyin.initials(name)) for name in names()]
        rows = [
            {
                "n": n,
                "name": name,
                "pinyin": full,
                "initials": short,
                "tokens": tokens([name, full.replace(" ", ""), short]),
            }
            for n, (name, full, short) in enumerate(spelt)
        ]
        c.execute(text("INSERT INTO made_names VALUES (:n, :name, :pinyin, :initials, :tokens)"), rows)
        said = [f"{what}，{where}" for what in _WHAT for where in _WHERE]
        words = [*_REGIONS, *_VEHICLES, *said]
        kept = [{"n": n, "said": word, "tokens": tokens([word])} for n, word in enumerate(words)]
        c.execute(text("INSERT INTO made_words VALUES (:n, :said, :tokens)"), kept)
        days = [(n, FIRST_DAY + timedelta(days=n)) for n in range(self.sizes.tickets // PER_DAY + 1)]
        told = [{"n": n, "day": day.strftime("%y%m%d"), "us": to_us(day)} for n, day in days]
        c.execute(text("INSERT INTO made_days VALUES (:n, :day, :us)"), told)

    # --- rows ------------------------------------------------------------------------------------------------------

    def _customers(self, c: Connection) -> None:
        region = f"{len(_REGIONS)}"
        mobile = f"'139' || {self._pad('x * 7919 % 100000000', 8)}"
        made = len(names())
        source = (
            f"(SELECT x, x + {self.begin.customers} AS id, {mobile} AS mobile, p.*, r.said AS region, "
            f"r.tokens AS region_tokens FROM {{n}} JOIN made_names p ON p.n = x * 31 % {made} "
            f"JOIN made_words r ON r.n = x % {region}) s"
        )
        at = to_us(FIRST_DAY)
        customer = {
            "id": "id", "kind": "'end_user'", "name": "name", "pinyin": "pinyin", "sound": "replace(pinyin, ' ', '')",
            "initials": "initials", "region": "region", "language": "'zh'", "version": "1",
            "created_at": f"{at}", "changed_at": f"{at}",
        }  # fmt: skip
        phone = {
            "id": f"x + {self.begin.customers} * 3",
            "customer_id": "id",
            "number": "'+86' || mobile",
            "level": "'known'",
        }
        whole = f"tokens || ' ' || region_tokens || ' ' || {_thirds(chr(39) + '86' + chr(39) + ' || mobile', 13)}"
        for n in self._ranges(self.sizes.customers):
            self._insert(c, "customers", customer, source.format(n=n))
            self._insert(c, "phones", phone, source.format(n=n))
            self._found(c, "customers", whole, source.format(n=n))

    def _engines(self, c: Connection) -> None:
        end = self._pad("x % 1000000", 6)
        source = (
            f"(SELECT x, x + {self.begin.engines} AS id, '4D83K' || {self._pad('x', 8)} AS serial, "
            f"{end} AS serial_end, w.said AS vehicle, w.tokens FROM {{n}} "
            f"JOIN made_words w ON w.n = {len(_REGIONS)} + x % {len(_VEHICLES)}) s"
        )
        engine = {
            "id": "id", "serial": "serial", "serial_end": "serial_end", "model": "'4D83'", "vehicle": "vehicle",
            "customer_id": f"1 + {self.begin.customers} + (x - 1) % {self.sizes.customers}",
            "built_on": "'2022-03-01'", "sold_on": "'2023-05-01'", "warranty_until": "'2026-05-01'", "version": "1",
        }  # fmt: skip
        if not self.sqlite:
            engine |= {name: f"DATE {engine[name]}" for name in ("built_on", "sold_on", "warranty_until")}
        whole = f"tokens || ' 4d8 d83 ' || {_thirds('lower(serial)', 13)}"
        for n in self._ranges(self.sizes.engines):
            self._insert(c, "engines", engine, source.format(n=n))
            self._found(c, "engines", whole, source.format(n=n))

    def _tickets(self, c: Connection) -> None:
        first, count = len(_REGIONS) + len(_VEHICLES), len(_WHAT) * len(_WHERE)
        kinds = " ".join(f"WHEN {at} THEN '{kind}'" for at, (kind, _letter) in enumerate(KINDS))
        letters = " ".join(f"WHEN {at} THEN '{letter}'" for at, (_kind, letter) in enumerate(KINDS))
        found_kinds = " ".join(
            f"WHEN {at} THEN '{findable.kind_token(kind)}'" for at, (kind, _letter) in enumerate(KINDS)
        )
        fresh = self.sizes.tickets - max(100, self.sizes.tickets // 250)  # the newest are still open
        source = (
            f"(SELECT x, x + {self.begin.tickets} AS id, 1 + x * 48271 % {self.sizes.engines} AS e, x % 5 AS k, "
            f"d.us + x % {PER_DAY} * CAST(20000000 AS BIGINT) AS at, d.day, w.said, w.tokens FROM {{n}} "
            f"JOIN made_words w ON w.n = {first} + x * 17 % {count} JOIN made_days d ON d.n = x / {PER_DAY}) s"
        )
        closed = f"CASE WHEN x <= {fresh} THEN"
        ticket = {
            "id": "id", "number": f"CASE k {letters} END || day || '-' || {self._pad(f'x % {PER_DAY}', 4)}",
            "kind": f"CASE k {kinds} END", "state": f"{closed} 'closed' ELSE 'open' END",
            "stage": f"{closed} 'closed' ELSE 'new' END", "subject": "said", "fields": "'{}'",
            "customer_id": f"1 + {self.begin.customers} + (e - 1) % {self.sizes.customers}",
            "engine_id": f"e + {self.begin.engines}", "opened_by": "'wangfang'", "owner": "'wangfang'",
            "opened_at": "at", "changed_at": "at", "due_at": "at + CAST(86400000000 AS BIGINT)",
            "closed_at": f"{closed} at + CAST(3600000000 AS BIGINT) ELSE NULL END", "version": "1",
        }  # fmt: skip
        entry = {
            "id": f"x + {self.begin.tickets} * 10", "ticket_id": "id", "at": "at", "by": "'wangfang'",
            "what": "'opened'", "changes": "'{}'", "version": "1",
        }  # fmt: skip
        for n in self._ranges(self.sizes.tickets):
            self._insert(c, "tickets", ticket, source.format(n=n))
            self._insert(c, "ticket_entries", entry, source.format(n=n))
            self._found(c, "tickets", f"tokens || ' ' || CASE k {found_kinds} END", source.format(n=n))

    # --- SQL of either kind ------------------------------------------------------------------------------------------

    def _ranges(self, count: int) -> Iterator[str]:
        for first in range(1, count + 1, CHUNK):
            last = min(count, first + CHUNK - 1)
            if self.sqlite:
                following = f"SELECT {first} UNION ALL SELECT x + 1 FROM t WHERE x < {last}"
                yield f"(WITH RECURSIVE t(x) AS ({following}) SELECT x FROM t) n"
            else:
                yield f"(SELECT CAST(g AS BIGINT) AS x FROM generate_series({first}, {last}) g) n"

    def _pad(self, expression: str, width: int) -> str:
        if self.sqlite:
            return f"printf('%0{width}d', {expression})"
        return f"lpad(CAST({expression} AS TEXT), {width}, '0')"

    def _insert(self, c: Connection, table: str, values: dict[str, str], source: str) -> None:
        whole = values | {
            column.name: self._nothing(column.type)
            for column in Base.metadata.tables[table].columns
            if not column.nullable and column.name not in values
        }
        named = ", ".join(f'"{name}"' for name in whole)
        c.execute(
            text(f"INSERT INTO {table} ({named}) SELECT {', '.join(whole.values())} FROM {source}".replace(":", "\\:"))
        )

    def _found(self, c: Connection, table: str, whole: str, source: str) -> None:
        if self.sqlite:
            c.execute(text(f"INSERT INTO find_{table} (rowid, tokens) SELECT id, {whole} FROM {source} ORDER BY id"))
        else:
            c.execute(
                text(f"INSERT INTO find_{table} (id, tokens) SELECT id, string_to_array({whole}, ' ') FROM {source}")
            )

    def _nothing(self, kind: TypeEngine[Any]) -> str:
        if isinstance(kind, Boolean):
            return "0" if self.sqlite else "false"
        if isinstance(kind, JSON):
            return "'{}'"
        return "0" if isinstance(kind, Integer) else "''"

    @contextmanager
    def _without_indexes(self, c: Connection) -> Iterator[None]:
        """An index is made faster at once than row by row."""
        indexes = [index for table in self._tables() for index in table.indexes]
        for index in indexes:
            index.drop(c)
        if not self.sqlite:
            for table in ("customers", "engines", "tickets"):
                c.execute(text(f"DROP INDEX ix_find_{table}_tokens"))
        yield
        for index in indexes:
            index.create(c)
        if not self.sqlite:
            c.execute(text("SET maintenance_work_mem = '1GB'"))
            for table in ("customers", "engines", "tickets"):
                c.execute(text(f"CREATE INDEX ix_find_{table}_tokens ON find_{table} USING gin (tokens)"))
                c.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
                )
            for table in ("phones", "ticket_entries"):
                c.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
                )

    def _tables(self) -> Iterable[Table]:
        return (Base.metadata.tables[name] for name in TABLES)


def tokens(words: Iterable[str]) -> str:
    return " ".join(sorted({piece for word in words for piece in findable.grams(word)}))


def _thirds(expression: str, length: int) -> str:
    """SQL for the pieces of three that a word of this length is cut into."""
    return " || ' ' || ".join(f"substr({expression}, {at}, 3)" for at in range(1, length - 1))
