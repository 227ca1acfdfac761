"""The database: engine, sessions, and times as UTC microseconds.

SQLAlchemy is used synchronously, in threads, in short transactions. SQLite has one writer: ``write()`` takes
its turn before the transaction begins, so no one meets "database is locked".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import BigInteger, Delete, Dialect, Engine, MetaData, Update, create_engine, event
from sqlalchemy.engine import CursorResult, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from callcenter.errors import DatabaseUnreachable, DriverMissing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC; ValueError for a naive time."""
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone: {at!r}")
    return (at - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def now() -> datetime:
    """The clock at the edges; cores take time as a parameter."""
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime in Python, a BIGINT of microseconds in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


class Base(DeclarativeBase):
    """Every table of the product; each is written by one folder only."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime}  # noqa: RUF012 - SQLAlchemy's own declaration


class Database:
    """One engine and its sessions. ``read()`` and ``write()`` are the two ways in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._turn = threading.RLock()
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
                Path(parsed.database).touch(mode=0o600)  # customers' names; its WAL takes the same mode
            # The connection used last is used next: its pages and its compiled statements are still good.
            how = {"timeout": 15, "check_same_thread": False, "cached_statements": 500}
            lifo = {} if ":memory:" in url else {"pool_use_lifo": True}
            self.engine = create_engine(url, connect_args=how, **lifo)
            _speak_sqlite(self.engine)
        else:
            if find_spec("psycopg") is None:
                raise DriverMissing
            self.engine = create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
            _speak_postgresql(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        writing = self.engine.execution_options(sqlite_begin="IMMEDIATE") if self.is_sqlite else self.engine
        self._writing = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session to read with; what is changed in it is not kept."""
        with self._sessions() as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: committed when the block ends well, rolled back when it raises."""
        with self._turn if self.is_sqlite else contextlib.nullcontext(), self._writing() as db:
            yield db
            db.commit()

    def create_all(self) -> None:
        """Every table at once, for tests; a real database is migrated."""
        Base.metadata.create_all(self.engine)

    def migrate(self) -> None:
        """Bring the schema to the newest version; DatabaseUnreachable if there is no database to bring."""
        try:
            command.upgrade(migrations(self.url), "head")
        except OperationalError as fault:
            raise DatabaseUnreachable(str(fault.orig)) from fault

    def close(self) -> None:
        self.engine.dispose()


def changed(db: Session, statement: Update | Delete) -> int:
    """How many rows it changed: a step that must begin where it was seen changes one, or a colleague was faster.

    What the session has read already stays as it was read.
    """
    done = db.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount


def migrations(url: str) -> Config:
    """Alembic's settings for our migrations against this database."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    alembic.attributes["url"] = url
    return alembic


def _speak_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and transactions that begin where we say, not where the driver guesses."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver starts no transaction by itself
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")


def _speak_postgresql(engine: Engine) -> None:
    """A statement with the option ``as_bytes`` has its rows sent as they are kept; as text, bytes are twice as long."""
    from psycopg.pq import Format  # a centre on SQLite has no psycopg

    @event.listens_for(engine, "before_cursor_execute")
    def execute(_connection: Any, cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any) -> None:
        if context is not None and context.execution_options.get("as_bytes"):
            cursor.format = Format.BINARY
