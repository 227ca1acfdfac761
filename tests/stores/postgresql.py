"""A private PostgreSQL: its own folder, its own port, gone when the test ends."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import inspect, text

import tests.tables  # noqa: F401 - the tables must be known before they are made
from callcenter.database import Database
from tests.ports import free_port


@contextmanager
def cluster(kept: Path | None = None) -> Iterator[str]:
    """The URL of an empty database; or of the one in this folder, which stays there."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert programs, "PostgreSQL is missing: apt-get install postgresql"
    folder = kept or Path(tempfile.mkdtemp(prefix="cc-pg-", dir="/tmp"))
    folder.mkdir(parents=True, exist_ok=True)
    stands = (folder / "data").is_dir()
    # PostgreSQL refuses to run as root.
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(program: str, *words: str) -> None:
        command = [str(programs[-1].with_name(program)), *words]
        user = {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() == 0 else {}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **user)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr

    data, port = str(folder / "data"), free_port()
    try:
        if not stands:
            run("initdb", "-D", data, "-U", "callcenter", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-t", "30", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://callcenter@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "fast" if kept else "immediate", "stop")
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def migrated(url: str) -> Iterator[Database]:
    """A database with every table; it leaves them empty."""
    database = Database(url)
    database.migrate()
    try:
        yield database
    finally:
        with database.engine.begin() as connection:
            tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
            connection.execute(text(f"TRUNCATE {', '.join(sorted(tables))} RESTART IDENTITY CASCADE"))
        database.close()
