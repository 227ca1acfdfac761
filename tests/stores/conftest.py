"""Private servers of the stores we work with, on free ports."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
import redis

from callcenter.database import Database
from tests.ports import free_port
from tests.stores.postgresql import cluster, migrated
from tests.waiting import wait_until


class RedisServer:
    def __init__(self, folder: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_until(answers, seconds=10)
        client.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """One PostgreSQL for all who need one."""
    with cluster() as url:
        yield url


@pytest.fixture
def database(server: str) -> Iterator[Database]:
    with migrated(server) as database:
        yield database


@pytest.fixture
def redis_server(tmp_path) -> Iterator[RedisServer]:
    assert shutil.which("redis-server"), "redis-server is missing: apt-get install redis-server"
    server = RedisServer(str(tmp_path))
    yield server
    server.stop()
